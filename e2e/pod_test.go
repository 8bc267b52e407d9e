package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/reconciler/notify"
)

// inPod is the environment variable by which this binary runs itself as the first process of a container.
const inPod = "TRANSOM_TEST_POD"

func TestMain(m *testing.M) {
	if text := os.Getenv(inPod); text != "" {
		fmt.Fprintln(os.Stderr, enter(text))
		os.Exit(1)
	}
	if text := os.Getenv(asClients); text != "" {
		if err := runClients(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(asBare) != "" {
		fmt.Fprintln(os.Stderr, runBare())
		os.Exit(1)
	}
	notify.Main() // chats and mail are told by it
	code := m.Run()
	if err := os.RemoveAll(layoutDir()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// A container is a process that sees the files of an image and of its volumes, and no others.
type container struct {
	Root   string  // the unpacked image, which is read-only in the container
	Mounts []mount // below it
	Args   []string
	Env    []string
}

type mount struct {
	From, To string
	ReadOnly bool
}

// serviceAccountDir is where a pod finds the token of its ServiceAccount.
const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// runPod runs the container of a Deployment's pod as the kubelet would, as far as the container can tell: with the image's
// entrypoint, the arguments, the environment, the volumes, the user and the read-only root that the Deployment says, and the
// token of its ServiceAccount. Only its network is this machine's, so that it listens on free ports.
func (w *world) runPod(cluster, namespace, deployment string, i image) {
	w.t.Helper()
	d, err := w.client(cluster).AppsV1().Deployments(namespace).Get(w.t.Context(), deployment, metav1.GetOptions{})
	require.NoError(w.t, err)
	pod := d.Spec.Template.Spec
	require.Len(w.t, pod.Containers, 1)
	c := pod.Containers[0]
	require.True(w.t, *c.SecurityContext.ReadOnlyRootFilesystem)

	in := container{Root: i.root, Args: slices.Clone(i.config.Entrypoint), Env: slices.Clone(i.config.Env)}
	values := map[string]string{}
	for _, variable := range c.Env {
		if variable.ValueFrom != nil {
			require.Equal(w.t, "status.podIP", variable.ValueFrom.FieldRef.FieldPath)
			variable.Value = "127.0.0.1"
		}
		values[variable.Name] = variable.Value
		in.Env = append(in.Env, variable.Name+"="+variable.Value)
	}
	server, err := url.Parse(w.config(cluster).Host)
	require.NoError(w.t, err)
	in.Env = append(in.Env, "KUBERNETES_SERVICE_HOST="+server.Hostname(), "KUBERNETES_SERVICE_PORT="+server.Port())
	for _, arg := range c.Args {
		arg = regexp.MustCompile(`\$\((\w+)\)`).ReplaceAllStringFunc(arg, func(v string) string { return values[v[2:len(v)-1]] })
		in.Args = append(in.Args, regexp.MustCompile(`listen=:\d+$`).ReplaceAllString(arg, "listen=:0"))
	}
	for _, m := range c.VolumeMounts {
		volume := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		in.Mounts = append(in.Mounts, mount{w.volume(cluster, namespace, pod.Volumes[volume]), m.MountPath, m.ReadOnly})
	}
	require.True(w.t, *pod.AutomountServiceAccountToken)
	in.Mounts = append(in.Mounts, mount{w.directory(map[string][]byte{
		"token":  []byte(w.token(cluster, namespace, pod.ServiceAccountName)),
		"ca.crt": w.config(cluster).CAData,
	}, 0o444), serviceAccountDir, true})
	w.run(in.command(w.t, int(*pod.SecurityContext.RunAsUser), int(*pod.SecurityContext.RunAsGroup)))
	w.api = strings.Replace(w.api, "[::]", "127.0.0.1", 1)
}

// volume makes a directory with the content of a volume.
func (w *world) volume(cluster, namespace string, v corev1.Volume) string {
	w.t.Helper()
	if v.Secret == nil {
		require.NotNil(w.t, v.EmptyDir, v.Name)
		return w.directory(nil, 0o600)
	}
	secret, err := w.client(cluster).CoreV1().Secrets(namespace).Get(w.t.Context(), v.Secret.SecretName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && v.Secret.Optional != nil && *v.Secret.Optional {
		return w.directory(nil, 0o600)
	}
	require.NoError(w.t, err)
	return w.directory(secret.Data, os.FileMode(*v.Secret.DefaultMode))
}

func (w *world) directory(files map[string][]byte, mode os.FileMode) string {
	w.t.Helper()
	dir := w.t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		require.NoError(w.t, os.WriteFile(file, content, 0o600))
		require.NoError(w.t, os.Chmod(file, mode))
	}
	return dir
}

// token is a bound token of a ServiceAccount.
func (w *world) token(cluster, namespace, account string) string {
	w.t.Helper()
	answer, err := w.client(cluster).CoreV1().ServiceAccounts(namespace).CreateToken(w.t.Context(), account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(w.t, err)
	return answer.Status.Token
}

// command is the command that becomes the container's process: this binary, in namespaces of its own, which enters the root.
func (c container) command(t testing.TB, uid, gid int) *exec.Cmd {
	t.Helper()
	for _, m := range append(c.Mounts, mount{To: "/proc"}) {
		require.NoError(t, os.MkdirAll(filepath.Join(c.Root, m.To), 0o755))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(c.Root, "dev"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(c.Root, "dev", "null"), nil, 0o600))
	spec, err := json.Marshal(c)
	require.NoError(t, err)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{inPod + "=" + string(spec)}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: gid, HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT}, // until it has entered
	}
	return cmd
}

// enter makes the mounts of a container, makes its root this process's and runs the container's process in its place. It
// returns only with an error.
func enter(spec string) error {
	var c container
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to this process: %w", err)
	}
	all := append([]mount{{c.Root, "/", true}}, c.Mounts...)
	all = append(all, mount{"/proc", "/proc", false}, mount{"/dev/null", "/dev/null", false})
	for _, m := range all {
		if err := unix.Mount(m.From, filepath.Join(c.Root, m.To), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.To, err)
		}
	}
	for _, m := range all {
		if m.ReadOnly {
			if err := readOnly(filepath.Join(c.Root, m.To)); err != nil {
				return fmt.Errorf("make %s read-only: %w", m.To, err)
			}
		}
	}
	if err := unix.Chroot(c.Root); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("allow no new privileges: %w", err)
	}
	return fmt.Errorf("run %s: %w", c.Args[0], unix.Exec(c.Args[0], c.Args, c.Env))
}

// readOnly makes a mount read-only, and keeps the flags that this process may not take away.
func readOnly(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY)
	for statfs, mount := range map[int64]uintptr{
		unix.ST_NOSUID: unix.MS_NOSUID, unix.ST_NODEV: unix.MS_NODEV, unix.ST_NOEXEC: unix.MS_NOEXEC,
		unix.ST_NOATIME: unix.MS_NOATIME, unix.ST_NODIRATIME: unix.MS_NODIRATIME, unix.ST_RELATIME: unix.MS_RELATIME,
	} {
		if fs.Flags&statfs != 0 {
			flags |= mount
		}
	}
	return unix.Mount("", dir, "", flags, "")
}
