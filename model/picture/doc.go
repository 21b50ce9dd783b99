// Package picture turns picture files into the pixel values that vision models
// read: it decodes PNG, JPEG, WebP and GIF, turns the picture upright, resizes,
// crops and normalises it as a preprocessor_config.json says.
//
// The reference is what transformers does with Pillow, to the last bit where the
// decoders agree: Pillow's resampling with its 8-bit rounding between the two
// passes, libjpeg's and libwebp's smooth chroma upsampling, EXIF orientation
// obeyed, transparency dropped, the first frame of an animation.
package picture
