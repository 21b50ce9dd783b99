package picture

import (
	"bytes"
	"encoding/binary"
	"image"
)

// A webpFrame is the first frame of an animated WebP, as a file of its own: the
// decoder reads no others.
type webpFrame struct {
	file          []byte
	at            image.Point
	width, height int // of the whole picture
}

// firstFrame finds it; nil if the file is not animated, or broken.
//
// The layout is that of Google's "WebP Container Specification": RIFF, then chunks
// of a name, a length, and as many bytes, padded to be even. VP8X says what there
// is and how large, ANMF holds a frame: its place and size, and its chunks.
func firstFrame(data []byte) *webpFrame {
	const (
		riff     = 12 // name, length, "WEBP"
		animated = 0x02
		alpha    = 0x10
		place    = 16 // x, y, width, height, duration: three bytes each, and flags
	)
	if len(data) < riff || string(data[:4]) != "RIFF" || string(data[8:12]) != "WEBP" {
		return nil
	}
	three := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
	var f webpFrame
	for name, body := range webpChunks(data[riff:]) {
		switch {
		case name == "VP8X" && len(body) >= 10 && body[0]&animated != 0:
			f.width, f.height = three(body[4:])+1, three(body[7:])+1
		case name == "VP8X":
			return nil
		case name == "ANMF" && len(body) >= place && f.width > 0:
			f.at = image.Pt(2*three(body), 2*three(body[3:]))
			var file bytes.Buffer
			file.WriteString("RIFF\x00\x00\x00\x00WEBP")
			for inner, b := range webpChunks(body[place:]) {
				if inner == "ALPH" { // the picture that follows is said to have it
					header := append([]byte{alpha, 0, 0, 0}, body[6:12]...)
					writeChunk(&file, "VP8X", header)
				}
				if inner == "ALPH" || inner == "VP8 " || inner == "VP8L" {
					writeChunk(&file, inner, b)
				}
			}
			f.file = file.Bytes()
			binary.LittleEndian.PutUint32(f.file[4:], uint32(len(f.file)-8))
			return &f
		}
	}
	return nil
}

// webpChunks goes through chunks, up to the first that is cut off.
func webpChunks(data []byte) func(yield func(name string, body []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for len(data) >= 8 {
			size := int64(binary.LittleEndian.Uint32(data[4:]))
			if size > int64(len(data)-8) || !yield(string(data[:4]), data[8:8+size]) {
				return
			}
			data = data[min(8+size+size%2, int64(len(data))):]
		}
	}
}

func writeChunk(b *bytes.Buffer, name string, body []byte) {
	b.WriteString(name)
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(body))))
	b.Write(body)
	if len(body)%2 == 1 {
		b.WriteByte(0)
	}
}
