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

// expandPanel turns n blocks of a panel of a format, as they are packed, into
// bytes as expandN does and scales in float32:
//
//	scales[b][v][j] = value v of block b, of output j
type expandPanel func(codes *uint8, scales *float32, packed *uint8, n int)

// expandGenerics are the portable twins.
var expandGenerics = [numDTypes]expandPanel{
	Q8_0: expandQ80Generic,
	Q4_0: expandQ40Generic,
	Q4_1: expandQ41Generic,
	Q5_0: expandQ50Generic,
	Q5_1: expandQ51Generic,
}

func expandQ80Generic(codes *uint8, scales *float32, packed *uint8, n int) {
	expandPanelGeneric(Q8_0, codes, scales, packed, n)
}

func expandQ40Generic(codes *uint8, scales *float32, packed *uint8, n int) {
	expandPanelGeneric(Q4_0, codes, scales, packed, n)
}

func expandQ41Generic(codes *uint8, scales *float32, packed *uint8, n int) {
	expandPanelGeneric(Q4_1, codes, scales, packed, n)
}

func expandQ50Generic(codes *uint8, scales *float32, packed *uint8, n int) {
	expandPanelGeneric(Q5_0, codes, scales, packed, n)
}

func expandQ51Generic(codes *uint8, scales *float32, packed *uint8, n int) {
	expandPanelGeneric(Q5_1, codes, scales, packed, n)
}

func expandPanelGeneric(d DType, codes *uint8, scales *float32, packed *uint8, n int) {
	f := d.form()
	values := f.kind.values() * panelWidth
	for b := range n {
		dst := (*uint8)(unsafe.Add(unsafe.Pointer(codes), b*blockLen*panelWidth))
		src := (*uint8)(unsafe.Add(unsafe.Pointer(packed), f.codesAt(b)))
		if f.bits == 8 {
			copy(unsafe.Slice(dst, blockLen*panelWidth), unsafe.Slice(src, blockLen*panelWidth))
		} else {
			expandGeneric(dst, src, 1, f.bits)
		}
		wide := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(scales), 4*b*values)), values)
		for i, h := range unsafe.Slice((*uint16)(unsafe.Add(unsafe.Pointer(packed), f.scalesAt(b))), values) {
			wide[i] = widenF16(h)
		}
	}
}
