//go:build unix

package par

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cpuTime is what this process has used, in user and kernel mode.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestIdleBurnsNoCPU(t *testing.T) {
	procs(t, 4)
	for _, open := range []bool{false, true} {
		var p Pass
		p.Begin(context.Background(), 0)
		helped(t, &p, 16, func(int, int) { time.Sleep(100 * time.Microsecond) })
		if !open {
			require.NoError(t, p.End())
		}
		time.Sleep(50 * time.Millisecond)
		burnt := time.Hour
		for attempt := 0; attempt < 3 && burnt >= 25*time.Millisecond; attempt++ { // the collector may run in one
			before := cpuTime(t)
			time.Sleep(500 * time.Millisecond)
			burnt = min(burnt, cpuTime(t)-before)
		}
		require.Less(t, burnt, 25*time.Millisecond, "pass left open: %v", open)
		require.NoError(t, p.End())
	}
}
