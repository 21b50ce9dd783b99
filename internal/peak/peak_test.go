package peak

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPeaks(t *testing.T) {
	for _, threads := range []int{1, 2, 64} {
		for name, measure := range map[string]func(context.Context, int, time.Duration) (float64, error){"F32": F32, "Int8": Int8} {
			rate, err := measure(t.Context(), threads, time.Millisecond)
			require.NoError(t, err)
			require.Greater(t, rate, 1e6, "%s on %d threads", name, threads)
		}
	}
}

func TestRead(t *testing.T) {
	data := make([]float32, 1<<20)
	for _, n := range []int{1, 100, 1 << 12, 1<<20 - 7} {
		rate, err := Read(t.Context(), 2, time.Millisecond, data[:n])
		require.NoError(t, err)
		require.Greater(t, rate, 1e6, "%d elements", n)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := F32(ctx, 2, time.Hour)
	require.ErrorIs(t, err, context.Canceled)
}
