package picture

import (
	"bytes"
	"encoding/binary"
)

// orientation reads the EXIF orientation of a file, 1 to 8; 0 if it has none.
// What is malformed has none either, as in Pillow: the picture is what counts.
//
// EXIF is a TIFF structure (CIPA DC-008, 4.6) that JPEG keeps in an APP1 segment,
// PNG in the chunk eXIf and WebP in the chunk EXIF.
func orientation(data []byte, format string) int {
	switch format {
	case "jpeg":
		return tiffOrientation(jpegExif(data))
	case "png":
		return tiffOrientation(pngExif(data))
	case "webp":
		return tiffOrientation(webpExif(data))
	}
	return 0
}

var exifHeader = []byte("Exif\x00\x00")

// jpegExif walks the segments before the first scan.
func jpegExif(data []byte) []byte {
	const (
		app1 = 0xe1
		sos  = 0xda
	)
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xff { // fill
			at++
			continue
		}
		if marker == sos {
			return nil
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if size < 2 || at+2+size > len(data) {
			return nil
		}
		if body := data[at+4 : at+2+size]; marker == app1 && bytes.HasPrefix(body, exifHeader) {
			return body[len(exifHeader):]
		}
		at += 2 + size
	}
	return nil
}

// pngExif walks the chunks: length, type, data, checksum.
func pngExif(data []byte) []byte {
	for at := 8; at+12 <= len(data); {
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if size > int64(len(data)-at-12) {
			return nil
		}
		if string(data[at+4:at+8]) == "eXIf" {
			return data[at+8:][:size]
		}
		at += int(size) + 12
	}
	return nil
}

// webpExif walks the chunks of a RIFF file: type, length, data, padding to even.
func webpExif(data []byte) []byte {
	for name, body := range webpChunks(data[min(12, len(data)):]) {
		if name == "EXIF" {
			return bytes.TrimPrefix(body, exifHeader)
		}
	}
	return nil
}

// tiffOrientation looks the tag up in the first directory.
func tiffOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(tiff[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	const (
		entry       = 12 // tag, type, count, value
		tag         = 0x0112
		short, long = 3, 4
	)
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < entry {
			return 0
		}
		if order.Uint16(entries) == tag {
			value := 0
			switch order.Uint16(entries[2:]) {
			case short:
				value = int(order.Uint16(entries[8:]))
			case long:
				value = int(order.Uint32(entries[8:]))
			}
			if value < 1 || value > 8 {
				return 0
			}
			return value
		}
		entries = entries[entry:]
	}
	return 0
}
