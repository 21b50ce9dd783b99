package kernels

import "unsafe"

// expandNGeneric turns the packed codes of n blocks of a panel, N bits each,
// into bytes:
//
//	dst[b][g][j][i] = code i of group g of block b, of output j
//
// A block of 4 bits has groups 0 to 3 in the low halves of the bytes of four lines
// of 64, and 4 to 7 in the high ones. With 5 bits a line before them has bit 4 of
// group g at bit g. With 6 bits three lines have groups 0 to 2 in the lower bits, and
// group 3 in the two upper ones, its higher bits first; three more have the other
// groups. What is needed first comes first: memory is fetched in order.
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
			for j := range lane {
				out[(b*codeGroups+g)*lane+j] = unpackGroup(in[j:], bits, g)
			}
		}
	}
}

// unpackGroup gives the four codes of group g of a block of one output, whose lines
// are panelWidth words apart.
func unpackGroup(lines []uint32, bits, g int) uint32 {
	switch {
	case bits == 8:
		return lines[g*panelWidth]
	case bits < 6:
		v := lines[(bits-4+g%4)*panelWidth] >> (g / 4 * 4) & lowNibbles
		if bits == 5 {
			v |= lines[0] >> g & lowBits << 4
		}
		return v
	}
	lines = lines[g/4*3*panelWidth:]
	if g%4 < 3 {
		return lines[g%4*panelWidth] & lowSixes
	}
	return lines[0]>>6&lowPairs<<4 | lines[panelWidth]>>6&lowPairs<<2 | lines[2*panelWidth]>>6&lowPairs
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
