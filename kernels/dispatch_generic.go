//go:build purego || !(amd64 || arm64)

package kernels

// Every operation is its portable twin.

func exp(dst, src []float32)     { expGeneric(dst, src) }
func softmax(dst, src []float32) { softmaxGeneric(dst, src) }
func layerNorm(dst, x, weight, bias []float32, eps float32) {
	layerNormGeneric(dst, x, weight, bias, eps)
}
func rmsNorm(dst, x, weight []float32, eps float32) { rmsNormGeneric(dst, x, weight, eps) }
func add(dst, x, y []float32)                       { addGeneric(dst, x, y) }
func mul(dst, x, y []float32)                       { mulGeneric(dst, x, y) }
func scale(dst, x []float32, s float32)             { scaleGeneric(dst, x, s) }
func dot(x, y []float32) float32                    { return dotGeneric(x, y) }
func absMax(x []float32) float32                    { return absMaxGeneric(x) }
func gelu(x []float32, rows, n, ld int)             { geluGeneric(x, rows, n, ld) }
func geluTanh(x []float32, rows, n, ld int)         { geluTanhGeneric(x, rows, n, ld) }
func relu(x []float32, rows, n, ld int)             { reluGeneric(x, rows, n, ld) }
func silu(x []float32, rows, n, ld int)             { siluGeneric(x, rows, n, ld) }
func tanh(x []float32, rows, n, ld int)             { tanhGeneric(x, rows, n, ld) }
func quickGELU(x []float32, rows, n, ld int)        { quickGELUGeneric(x, rows, n, ld) }
func f16ToF32(dst []float32, src []uint16)          { f16ToF32Generic(dst, src) }
func f32ToF16(dst []uint16, src []float32)          { f32ToF16Generic(dst, src) }
func bf16ToF32(dst []float32, src []uint16)         { bf16ToF32Generic(dst, src) }
func f32ToBF16(dst []uint16, src []float32)         { f32ToBF16Generic(dst, src) }
func int8ToF32(dst []float32, src []int8, scale float32) {
	int8ToF32Generic(dst, src, scale)
}
func quantise(dst []int8, src []float32, inv, zero float32, flip uint32) {
	quantiseGeneric(dst, src, inv, zero, flip)
}

func valueRange(x []float32) (low, high float32) { return rangeGeneric(x) }

func addStrip(x []float32, ldx int, y []float32, ldy, rows, n int) {
	addStripGeneric(x, ldx, y, ldy, rows, n)
}

func mulStrip(x []float32, ldx int, y []float32, ldy, rows, n int) {
	mulStripGeneric(x, ldx, y, ldy, rows, n)
}

func rotate(x []float32, ld, rows, half int, cos, sin []float32) {
	rotateGeneric(x, ld, rows, half, cos, sin)
}

func expand4(dst, src *uint8, n int) { expand4Generic(dst, src, n) }
func expand5(dst, src *uint8, n int) { expand5Generic(dst, src, n) }
func expand6(dst, src *uint8, n int) { expand6Generic(dst, src, n) }
func quantiseBlocks(dst *uint8, src []float32, n int, factor float32) {
	quantiseBlocksGeneric(dst, src, n, factor)
}

func quantiseSuper(dst *uint8, src []float32, n int) { quantiseSuperGeneric(dst, src, n) }
func quantiseSuperHalves(dst *uint8, src []float32, n int) {
	quantiseSuperHalvesGeneric(dst, src, n)
}
