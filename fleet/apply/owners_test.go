package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
)

// TestAPodNamesThoseThatControlIt, up to the Deployment, whose name its ReplicaSet has before the hash of the template.
func TestAPodNamesThoseThatControlIt(t *testing.T) {
	controlled := true
	pod := func(kind, name, hash string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "store", Name: "shop-1", Labels: map[string]string{"pod-template-hash": hash},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Node", Name: "other"}, {Kind: kind, Name: name, Controller: &controlled}},
		}}
	}
	object := func(kind, name string) apply.Object { return apply.Object{Kind: kind, Namespace: "store", Name: name} }
	require.Equal(t, []apply.Object{object("ReplicaSet", "shop-web-5d9c"), object("Deployment", "shop-web")}, apply.OwnersOf(pod("ReplicaSet", "shop-web-5d9c", "5d9c")))
	require.Equal(t, []apply.Object{object("ReplicaSet", "old")}, apply.OwnersOf(pod("ReplicaSet", "old", "5d9c")), "one that the Deployment took over")
	require.Equal(t, []apply.Object{object("StatefulSet", "db")}, apply.OwnersOf(pod("StatefulSet", "db", "")))
	require.Empty(t, apply.OwnersOf(&corev1.Pod{}))
}
