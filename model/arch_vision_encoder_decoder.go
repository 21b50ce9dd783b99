package model

import "strings"

// VisionEncoderDecoder: any encoder of pictures, and any decoder of text that
// attends to it, as Rothe et al. 2019, "Leveraging Pre-trained Checkpoints for
// Sequence Generation Tasks", joined encoders and decoders of text. Both have
// architectures of their own.
var visionEncoderDecoder = architecture{
	modelType: "vision-encoder-decoder",
	base:      "VisionEncoderDecoderModel",
	spec: func(c *config) Spec {
		looks, encoder := c.nested("encoder")
		writes, s := c.nested("decoder")
		if looks == nil || writes == nil {
			return Spec{}
		}
		if encoder.Embeddings.Patches == nil {
			c.problem("encoder.model_type", "a %s does not look at pictures", looks.modelType)
		}
		if !s.Crosses() || s.Other != nil || writes.writer() == "" {
			c.problem("decoder", "a %s that attends to no encoder: without add_cross_attention, or of a kind that has none or its own", writes.modelType)
		}
		encoder.Heads, encoder.Other = nil, nil
		s.Other, s.Writer, s.Target = &encoder, writes.modelType, c.target(NoShift)
		// A decoder that says a width attends to it, and others get their own.
		const width = "cross_attention_hidden_size"
		switch d := c.object("decoder"); {
		case !d.has(width):
			s.Bridged = encoder.Hidden != s.Hidden
		case d.int(width, 0, 1, maxWidth) != encoder.Hidden:
			c.problem("decoder."+width, "is not the encoder's %d", encoder.Hidden)
		}
		return s
	},
	names: func(s *Spec) names {
		n, encoder := architectureOf(s.Writer).names(s), architectureOf(s.Other.Architecture).names(s.Other)
		n.Root, encoder.Root = "decoder.", "encoder."
		n.Other, n.Bridge = &encoder, "enc_to_dec_proj"
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"VisionEncoderDecoderModel": func(c *config, s *Spec) []Head {
			a := architectureOf(s.Writer)
			if a == nil || a.writer() == "" {
				return nil // as the spec has said
			}
			return a.heads[a.writer()](c.object("decoder"), s)
		},
	},
}

// writer is an architecture's class that continues texts, or "".
func (a *architecture) writer() string {
	for class := range a.heads {
		if strings.HasSuffix(class, "ForCausalLM") || strings.HasSuffix(class, "LMHeadModel") {
			return class
		}
	}
	return ""
}
