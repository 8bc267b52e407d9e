package notify

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// executable is the binary of this process, even when another has taken its place on disk.
const executable = "/proc/self/exe"

// confine bounds the memory and the processor time of this process. If memory runs out, the kernel ends it before the
// daemon, unless it ends all processes of a container at once.
func confine() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // where the kernel lets us
	for resource, most := range map[int]uint64{syscall.RLIMIT_DATA: data() + mostMemory, syscall.RLIMIT_CPU: processorTime, syscall.RLIMIT_CORE: 0} {
		var now syscall.Rlimit
		if syscall.Getrlimit(resource, &now) == nil {
			most = min(most, now.Max)
			_ = syscall.Setrlimit(resource, &syscall.Rlimit{Cur: most, Max: most}) // lower than it is: always allowed
		}
	}
}

// data is how many bytes of data this process has: the limit counts them all. A binary with the race detector has reserved the larger part of
// its address space before it begins, and could not allocate one more page within any limit of ours; zero: the kernel does not say it.
func data() uint64 {
	sizes, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(sizes)
	if err != nil || len(fields) < 6 {
		return 0
	}
	pages, _ := strconv.ParseUint(string(fields[5]), 10, 64) // data and stack
	return pages * uint64(os.Getpagesize())
}
