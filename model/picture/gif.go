package picture

// gifPalette finds the colours of the first frame of a GIF. The decoder gives
// them too, but the transparent one as nothing, where Pillow shows it. nil if the
// file is not understood.
//
// The layout is GIF89a's: a screen, blocks of extensions, frames; palettes of
// 2^(1+n) colours stand after the screen or the frame they belong to.
func gifPalette(data []byte) []byte {
	const (
		screen    = 13 // signature, size, flags, background, aspect
		frame     = 10 // separator, place, size, flags
		extension = 0x21
		image     = 0x2c
		has       = 0x80
	)
	palette := func(at int, flags byte) ([]byte, int) {
		if flags&has == 0 {
			return nil, at
		}
		end := at + 3<<(1+flags&7)
		if end > len(data) {
			return nil, len(data)
		}
		return data[at:end], end
	}
	if len(data) < screen {
		return nil
	}
	global, at := palette(screen, data[10])
	for at < len(data) {
		switch data[at] {
		case image:
			if at+frame > len(data) {
				return nil
			}
			if local, _ := palette(at+frame, data[at+9]); local != nil {
				return local
			}
			return global
		case extension:
			for at += 2; at < len(data) && data[at] != 0; { // blocks, each after its length
				at += 1 + int(data[at])
			}
			at++
		default:
			return nil
		}
	}
	return nil
}
