package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// State is how far a cluster is.
type State string

// The states of a cluster.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Stopped  State = "stopped" // taken away by "sandbox stop"
	Failed   State = "failed"  // it did not start, or a component ended by itself
)

// cluster is one control plane: an API server and, unless apiOnly, the components that run workloads.
type cluster struct {
	name     string
	apiOnly  bool
	audit    bool
	layout   layout
	launch   launcher
	report   func(format string, args ...any)
	etcdURL  string
	apiPort  int
	kwokPort int
	logPort  int

	credentials *credentials
	config      *rest.Config

	change sync.Mutex // held while the cluster is started or stopped

	mu         sync.Mutex // guards the fields below
	state      State
	why        string
	processes  []*process
	background context.CancelFunc // ends the stand-ins
	ended      sync.WaitGroup     // everything that runs for a started cluster
}

// prepare makes the files that outlive a stop: credentials, kubeconfig, stages. It needs no other process.
func (c *cluster) prepare() (err error) {
	if c.credentials, err = newCredentials(c.layout.clusterData(c.name), c.name); err != nil {
		return err
	}
	kubeconfig, err := c.credentials.kubeconfig(c.name, url("https", c.apiPort))
	if err != nil {
		return err
	}
	if c.config, err = clientcmd.RESTConfigFromKubeConfig(kubeconfig); err != nil {
		return fmt.Errorf("read back kubeconfig: %w", err)
	}
	c.config.QPS = -1 // no limit
	stages, err := stages()
	if err != nil {
		return err
	}
	return c.credentials.write(map[string][]byte{"kubeconfig": kubeconfig, "stages.yaml": stages, auditPolicyFile: []byte(auditPolicy)})
}

// start brings the whole cluster up and returns once pods would run on it. It also mends a cluster that has failed.
func (c *cluster) start(ctx context.Context) error {
	c.change.Lock()
	defer c.change.Unlock()
	if c.is(Ready) {
		return nil
	}
	began := time.Now()
	c.takeDown() // the other components, once one ended
	c.set(Starting, "")
	if err := c.bringUp(ctx, began); err != nil {
		c.takeDown()
		c.set(Failed, err.Error())
		return fmt.Errorf("cluster %s: %w", c.name, err)
	}
	c.report("%s: ready in %s", c.name, since(began))
	return nil
}

// bringUp starts the API server, then everything else at once, and waits for all of it.
func (c *cluster) bringUp(ctx context.Context, began time.Time) error {
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	audit := ""
	if c.audit {
		audit = c.layout.audit(c.name)
	}
	server, err := c.run(apiServer, apiServerFlags(c.name, c.etcdURL, c.apiPort, !c.apiOnly, audit, c.credentials)...)
	if err != nil {
		return err
	}
	if err := server.await(ctx, func(ctx context.Context) error { return serves(ctx, client) }); err != nil {
		return err
	}
	if !c.apiOnly {
		c.report("%s: API server answers after %s", c.name, since(began))
		if err := c.bringUpWorkloads(ctx, client); err != nil {
			return err
		}
	}
	if err := c.makeReady(); err != nil {
		return err
	}
	return c.publish()
}

// bringUpWorkloads starts the components that make pods of Deployments, schedule them and run them.
func (c *cluster) bringUpWorkloads(ctx context.Context, client kubernetes.Interface) error {
	kubeconfig := c.credentials.file("kubeconfig")
	manager, err := c.run(controllerManager, controllerManagerFlags(kubeconfig, c.credentials)...)
	if err != nil {
		return err
	}
	if _, err := c.run(kubeScheduler, schedulerFlags(kubeconfig)...); err != nil {
		return err
	}
	nodes, err := c.run(kubelets, kwokFlags(kubeconfig, c.credentials.file("stages.yaml"), c.kwokPort)...)
	if err != nil {
		return err
	}
	if err := furnish(ctx, client, c.logPort); err != nil {
		return err
	}
	c.goStandIns(client)
	if err := nodes.await(ctx, func(ctx context.Context) error { return nodeReady(ctx, client) }); err != nil {
		return err
	}
	return manager.await(ctx, func(ctx context.Context) error { return admitsPods(ctx, client) })
}

// publish puts the kubeconfig where everybody looks, in one step.
func (c *cluster) publish() error {
	data, err := os.ReadFile(c.credentials.file("kubeconfig"))
	if err != nil {
		return fmt.Errorf("publish kubeconfig: %w", err)
	}
	draft := c.credentials.file("kubeconfig.published")
	if err := os.WriteFile(draft, data, 0o600); err != nil {
		return fmt.Errorf("publish kubeconfig: %w", err)
	}
	if err := os.Rename(draft, c.layout.kubeconfig(c.name)); err != nil {
		return fmt.Errorf("publish kubeconfig: %w", err)
	}
	return nil
}

// stop takes the cluster away: its API server, and with it the controllers, which would otherwise need half a minute
// of backoff to find their way back. The objects of the cluster stay in etcd.
func (c *cluster) stop() {
	c.change.Lock()
	defer c.change.Unlock()
	c.set(Stopped, "")
	c.takeDown()
}

// takeDown ends everything that runs for this cluster and returns when it is gone.
func (c *cluster) takeDown() {
	c.mu.Lock()
	processes, cancel := c.processes, c.background
	c.processes, c.background = nil, nil
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	for _, p := range processes {
		p.kill()
	}
	c.ended.Wait()
}

// run starts a component and watches over it.
func (c *cluster) run(component string, args ...string) (*process, error) {
	log := filepath.Join(c.layout.logs(), c.name, component+".log")
	p, err := c.launch.start(log, component, args...)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.processes = append(c.processes, p)
	c.mu.Unlock()
	c.ended.Go(func() {
		<-p.done
		c.noticeEnd(p)
	})
	return p, nil
}

// makeReady makes the cluster ready, if no component has ended meanwhile.
func (c *cluster) makeReady() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		if !p.running() {
			return p.exited()
		}
	}
	c.state, c.why = Ready, ""
	return nil
}

// noticeEnd reports the end of a component of a ready cluster. One that is being started reports by itself.
func (c *cluster) noticeEnd(p *process) {
	c.mu.Lock()
	crashed := c.state == Ready
	if crashed {
		c.state, c.why = Failed, p.component+" ended by itself"
	}
	c.mu.Unlock()
	if crashed {
		c.report("%s: %v", c.name, p.exited())
	}
}

// goStandIns runs the stand-in controller, and the node's logs, until the cluster is taken down.
func (c *cluster) goStandIns(client kubernetes.Interface) {
	ctx, cancel := context.WithCancel(context.Background())
	c.mu.Lock()
	c.background = cancel
	c.mu.Unlock()
	c.ended.Go(func() { runBuckets(ctx, c.config) })
	c.ended.Go(func() {
		if err := runLogs(ctx, client, c.logPort, c.credentials); !errors.Is(err, http.ErrServerClosed) {
			c.report("%s: %v", c.name, err)
		}
	})
}

func (c *cluster) set(state State, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.why = state, why
}

func (c *cluster) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Status{
		Cluster:    c.name,
		State:      c.state,
		Why:        c.why,
		Server:     url("https", c.apiPort),
		Kubeconfig: c.layout.kubeconfig(c.name),
		Etcd:       c.etcdURL,
	}
}

func (c *cluster) is(state State) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == state
}

// serves succeeds once the API server is ready and has made the namespaces that everybody counts on.
func serves(ctx context.Context, client kubernetes.Interface) error {
	if err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return err
	}
	for _, name := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem} {
		if _, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// nodeReady succeeds once a pod could be placed.
func nodeReady(ctx context.Context, client kubernetes.Interface) error {
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("node %s is tainted: %s", nodeName, node.Spec.Taints[0].Key)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("node %s is not ready", nodeName)
}

// admitsPods succeeds once a pod could be created: admission asks for the namespace's service account.
func admitsPods(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}

func since(began time.Time) string { return time.Since(began).Round(100 * time.Millisecond).String() }
