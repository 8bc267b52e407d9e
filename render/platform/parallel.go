package platform

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// How work is shared: a share is small enough that two processors end about at the same time, and large enough that nobody
// waits for a counter.
const (
	share      = 32
	maxWorkers = 4
)

// forAll calls do for each number below count, on several processors where there is much to do, and returns when all is done. A
// merge of very many files is everybody's wait: nobody's change goes on before the platform is loaded.
func forAll(count int, do func(i int)) {
	workers := min(maxWorkers, runtime.GOMAXPROCS(0), (count+share-1)/share)
	if workers <= 1 {
		for i := range count {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var running sync.WaitGroup
	var faults atomic.Pointer[any] // the first panic: in a goroutine of its own it would end the process
	for range workers {
		running.Go(func() {
			defer func() {
				if fault := recover(); fault != nil {
					faults.CompareAndSwap(nil, &fault)
				}
			}()
			for {
				from := int(next.Add(share)) - share
				if from >= count {
					return
				}
				for i := from; i < min(from+share, count); i++ {
					do(i)
				}
			}
		})
	}
	running.Wait()
	if fault := faults.Load(); fault != nil {
		panic(*fault)
	}
}
