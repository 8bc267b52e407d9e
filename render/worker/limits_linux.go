package worker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// executable is the binary of this process, even when another has taken its place on disk.
const executable = "/proc/self/exe"

// open is how many descriptors a worker may have: its three pipes.
const open = 3

// lifetime is the processor time in seconds after which the kernel ends a worker whatever it does. Long before, it is
// replaced.
const lifetime = 3600

const (
	closeRange        = 436 // the system call, on every architecture
	closeRangeCloexec = 4
)

// keepInherited keeps descriptors that this process was started with from its workers. All others are closed in them by
// themselves.
func keepInherited() {
	_, _, _ = syscall.RawSyscall(closeRange, open, 1<<31-1, closeRangeCloexec)
}

// confine takes away from this process all that a job has no use for.
func confine() error {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // if memory runs out, end workers first
	exceeded := make(chan os.Signal, 1)
	signal.Notify(exceeded, syscall.SIGXCPU)
	go func() {
		<-exceeded
		os.Exit(outOfTime)
	}()
	for _, l := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"RLIMIT_DATA", syscall.RLIMIT_DATA, memoryLimit},
		{"RLIMIT_CPU", syscall.RLIMIT_CPU, lifetime},
		{"RLIMIT_CORE", syscall.RLIMIT_CORE, 0},
		{"RLIMIT_FSIZE", syscall.RLIMIT_FSIZE, 0},
		{"RLIMIT_NOFILE", syscall.RLIMIT_NOFILE, open},
	} {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("read %s: %w", l.name, err)
		}
		most := min(l.most, now.Max)
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("set %s: %w", l.name, err)
		}
	}
	return nil
}

// allow lets this process use so many more seconds of processor time, rounded to whole seconds of all that it has used.
func allow(seconds int) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CPU, &now); err != nil {
		return fmt.Errorf("read RLIMIT_CPU: %w", err)
	}
	now.Cur = min(uint64(processorTime()+500_000)/1_000_000+uint64(seconds), now.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_CPU, &now); err != nil {
		return fmt.Errorf("set RLIMIT_CPU: %w", err)
	}
	return nil
}

// processorTime is how many microseconds of it this process has used.
func processorTime() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return (usage.Utime.Nano() + usage.Stime.Nano()) / int64(time.Microsecond)
}

// peakMemory is the most memory that an ended process had in use, in bytes.
func peakMemory(state *os.ProcessState) int64 {
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss << 10
	}
	return 0
}

// spacious says that the kernel has refused a worker namespaces of its own.
var spacious atomic.Bool

// start starts a worker, without network and without memory that others share where the kernel allows it. It is in a
// process group of its own, so that a signal from a terminal ends it only with the process that started it.
func start(command func() *exec.Cmd) (*exec.Cmd, error) {
	if !spacious.Load() {
		cmd := command()
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Setpgid:    true,
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		}
		err := cmd.Start()
		if err == nil {
			return cmd, nil
		}
		if !forbidden(err) {
			return nil, err
		}
		spacious.Store(true)
	}
	cmd := command()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, cmd.Start()
}

// forbidden reports whether an error says that this process may not make namespaces, now or later.
func forbidden(err error) bool {
	return slices.ContainsFunc([]syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.ENOSYS, syscall.EINVAL, syscall.ENOSPC, syscall.EUSERS},
		func(no syscall.Errno) bool { return errors.Is(err, no) })
}
