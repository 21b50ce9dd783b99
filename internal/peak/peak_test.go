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
	sizes := []int{4, 400, 1 << 14, 1<<22 - 28}
	rates, err := Read(t.Context(), 2, time.Millisecond, sizes...)
	require.NoError(t, err)
	require.Len(t, rates, len(sizes))
	for i, rate := range rates {
		require.Greater(t, rate, 1e6, "%d bytes", sizes[i])
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := F32(ctx, 2, time.Hour)
	require.ErrorIs(t, err, context.Canceled)
}
