package kernels

import "unsafe"

// expandNGeneric turns the packed codes of n blocks of a panel, N bits each,
// into bytes:
//
//	dst[b][g][j][i] = code i of group g of block b, of output j
//
// From 4 bits on, a block's first four lines of 64 bytes hold groups 0 to 3 in
// the low halves of bytes and 4 to 7 in the high ones. With 5 bits one more line
// has bit 4 of group g at bit g; with 6 bits two more have bits 4 and 5 of group
// g at bits g%4·2 and above, the first line for groups 0 to 3.
func expand4Generic(dst, src *uint8, n int) { expandGeneric(dst, src, n, 4) }
func expand5Generic(dst, src *uint8, n int) { expandGeneric(dst, src, n, 5) }
func expand6Generic(dst, src *uint8, n int) { expandGeneric(dst, src, n, 6) }

func expandGeneric(dst, src *uint8, n, bits int) {
	const lane, line = panelWidth, 4 * panelWidth
	out := unsafe.Slice((*uint32)(unsafe.Pointer(dst)), n*codeGroups*lane)
	size := bits * blockLen * panelWidth / 8
	for b := range n {
		in := unsafe.Slice((*uint32)(unsafe.Add(unsafe.Pointer(src), b*size)), size/4)
		for g := range codeGroups {
			shift := g / 4 * 4
			for j := range lane {
				v := in[g%4*lane+j] >> shift & lowNibbles
				switch bits {
				case 5:
					v |= in[4*lane+j] >> g & lowBits << 4
				case 6:
					v |= in[(4+g/4)*lane+j] >> (g % 4 * 2) & lowPairs << 4
				}
				out[(b*codeGroups+g)*lane+j] = v
			}
		}
	}
}

// superMinsGeneric computes the scales of n super-blocks of a panel, [16] to a
// row:
//
//	for s := range n {
//		for b := range 8 {
//			dst[8*s+b][0] = d[s] * scale[s][b]
//			dst[8*s+b][1] = dmin[s] * -min[s][b]
//		}
//	}
//
// src holds for each super-block d and dmin in half precision, the eight rows of
// scales and those of minimums in bytes.
func superMinsGeneric(dst *float32, src *uint8, n int) {
	for s := range n {
		in := unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(src), s*superMinsBytes)), superMinsBytes)
		out := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(dst), s*superLen*2*panelWidth*4)), superLen*2*panelWidth)
		superGeneric(&blockForms[Q4_K-Q8_0], out, in)
	}
}

// superHalvesGeneric is superMinsGeneric where src has no dmin, and 16 rows of
// bytes for the halves of blocks, each 128 more than it means:
//
//	dst[8*s+b][h] = d[s] * (scale[s][2*b+h] - 128)
func superHalvesGeneric(dst *float32, src *uint8, n int) {
	for s := range n {
		in := unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(src), s*superHalvesBytes)), superHalvesBytes)
		out := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(dst), s*superLen*2*panelWidth*4)), superLen*2*panelWidth)
		superGeneric(&blockForms[Q6_K-Q8_0], out, in)
	}
}

// superGeneric expands one super-block.
func superGeneric(f *blockForm, out []float32, in []int8) {
	for j := range panelWidth {
		c := column{f: f, scales: in, lane: j}
		for b := range superLen {
			s := c.values(b)
			out[b*2*panelWidth+j], out[(b*2+1)*panelWidth+j] = s[0], s[1]
		}
	}
}
