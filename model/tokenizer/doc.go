// Package tokenizer turns text into the ids that a model was trained on, and back.
//
// It reads Hugging Face's tokenizer.json, a lone vocab.txt with BERT's rules, the vocabulary of a GGUF file, or the files
// of folders older than tokenizer.json: WordPiece, WordLevel, BPE of bytes or characters, SentencePiece's BPE and Unigram.
// It gives exactly the ids, type ids, words and offsets that the tokenizers library gives, with one difference: offsets are
// bytes of the original text, not characters. A text passes through
//
//	added tokens → normalizer → added tokens of normalized text → pre-tokenizer → model → truncation → template
//
// each a section of tokenizer.json. A section or a setting that is not implemented is an error at Load, never ignored.
//
// A folder with SentencePiece's file and no tokenizer.json gives the pieces that SentencePiece itself gives, with the ids
// of the class in transformers that its models were trained with. A tokenizer.json that transformers makes of such a file
// may part from that where Unicode is rare, after special tokens, and about user-defined pieces.
//
// A [Tokenizer] is immutable and safe for concurrent use. An [Encoding] is both the result and the workspace of a call:
// one goroutine at a time, and one that is used again allocates nothing once it has grown.
//
//	tok, err := tokenizer.LoadFS(os.DirFS("all-MiniLM-L6-v2"), ".")
//	var enc tokenizer.Encoding
//	cut, err := tok.AppendEncode(&enc, "a text", tokenizer.Options{})
//
// Back to text goes [Tokenizer.Decode], or id by id a [Stream].
//
// # Invalid UTF-8
//
// Text that is not valid UTF-8 is encoded as if every offending byte were U+FFFD, the replacement character (BERT's
// normalizer drops it); offsets still count the bytes of the text as given. Options.Strict makes it an error instead.
//
// # Linear time, bounded memory
//
// Where the pipeline allows it (all published BERT and byte-level tokenizers do), words are taken from the text as it is,
// so a line of any length needs little more than its tokens, and a text that will be cut is not read further than the cut
// needs; others need some twenty times the text.
package tokenizer
