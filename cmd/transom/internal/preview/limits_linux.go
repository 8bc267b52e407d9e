package preview

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// executable is the binary of this process, even when another has taken its place on disk.
const executable = "/proc/self/exe"

// start starts the process of a plan within its limits. If memory runs out, the kernel ends it before the daemon.
func start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	for resource, most := range map[int]uint64{unix.RLIMIT_DATA: memory, unix.RLIMIT_CPU: processorTime, unix.RLIMIT_CORE: 0} {
		if err := unix.Prlimit(cmd.Process.Pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return fmt.Errorf("limit it: %w", err)
		}
	}
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("1000"), 0) // where the kernel lets us
	return nil
}
