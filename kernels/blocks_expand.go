package kernels

import "unsafe"

// expandNGeneric turns the packed codes of n blocks of a panel, N bits each,
// into bytes:
//
//	dst[b][g][j][i] = code i of group g of block b, of output j
//
// A block's last four lines of 64 bytes hold groups 0 to 3 in the low halves of
// bytes and 4 to 7 in the high ones. With 5 bits one line before them has bit 4
// of group g at bit g; with 6 bits two have bits 4 and 5 of group g at bits
// g%4·2 and above, the first line for groups 0 to 3. What is needed first comes
// first: memory is fetched in order.
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
				v := in[(bits-4+g%4)*lane+j] >> shift & lowNibbles
				switch bits {
				case 5:
					v |= in[j] >> g & lowBits << 4
				case 6:
					v |= in[g/4*lane+j] >> (g % 4 * 2) & lowPairs << 4
				}
				out[(b*codeGroups+g)*lane+j] = v
			}
		}
	}
}
