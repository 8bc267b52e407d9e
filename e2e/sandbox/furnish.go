package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// nodeName is the one node of each cluster. kwok gives it 1000 CPUs, 1 TiB of memory and room for a million pods.
const nodeName = "node-0"

const nodeAddress = "10.0.0.1" // of the node, as pods say it

// The storage classes. kwok plays the provisioner of both.
const (
	provisioner  = "kwok.x-k8s.io/volume"
	storageClass = "kwok-volume"      // the default: a claim is bound at once
	waitingClass = "kwok-volume-wait" // a claim is bound once its first pod is placed
)

// furnish creates the objects that a cluster has before anybody asks: a node, whose logs are at a port of this machine, and storage
// classes. After a stop they are there.
func furnish(ctx context.Context, client kubernetes.Interface, logPort int) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:   nodeName,
		Labels: map[string]string{corev1.LabelHostname: nodeName, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"},
	}}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "127.0.0.1"}, {Type: corev1.NodeInternalIP, Address: nodeAddress}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(logPort)
	if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create node: %w", err)
	}
	for _, class := range []*storagev1.StorageClass{
		newStorageClass(storageClass, storagev1.VolumeBindingImmediate, map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}),
		newStorageClass(waitingClass, storagev1.VolumeBindingWaitForFirstConsumer, nil),
	} {
		if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create storage class %s: %w", class.Name, err)
		}
	}
	return nil
}

func newStorageClass(name string, binding storagev1.VolumeBindingMode, annotations map[string]string) *storagev1.StorageClass {
	reclaim := corev1.PersistentVolumeReclaimDelete
	return &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: name, Annotations: annotations},
		Provisioner:       provisioner,
		VolumeBindingMode: &binding,
		ReclaimPolicy:     &reclaim,
	}
}
