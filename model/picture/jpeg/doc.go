// Package jpeg decodes JPEG files (ITU-T T.81: baseline, extended and progressive,
// Huffman-coded, of 8 bits) to the planes of their components.
//
// Samples are libjpeg's to the bit. T.81 leaves the rounding of the inverse
// transform open, and the standard library's rounds otherwise: a step of 1 in a
// colour difference becomes up to 3 in a colour, more than models' own processors
// are apart.
package jpeg
