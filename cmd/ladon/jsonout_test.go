package main

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "é 中 🪨 \u2028\u2029", "<&>", "a\xffb\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := appendString(nil, s)
		var got, want string
		require.NoError(t, json.Unmarshal(out, &got), "%q", out)
		std, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(std, &want))
		require.Equal(t, want, got)
	})
}

func TestAppendFloat(t *testing.T) {
	for x, want := range map[float32]string{
		0: "0", 1: "1", -0.5: "-0.5", 0.1: "0.1", 1e-7: "1e-07", 16777216: "1.6777216e+07", math.MaxFloat32: "3.4028235e+38",
		math.SmallestNonzeroFloat32: "1e-45",
	} {
		got, err := appendFloat(nil, x)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
		var back float32
		require.NoError(t, json.Unmarshal(got, &back))
		require.Equal(t, x, back)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := appendFloats(nil, []float32{1, float32(bad)})
		require.Error(t, err)
	}
}
