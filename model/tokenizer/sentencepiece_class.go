package tokenizer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// pieceSettings are those of tokenizer_config.json that only SentencePiece's files need; nil where it does not say.
type pieceSettings struct {
	AddBOS      *bool   `json:"add_bos_token"`
	AddEOS      *bool   `json:"add_eos_token"`
	AddPrefix   *bool   `json:"add_prefix_space"`
	Legacy      *bool   `json:"legacy"`
	LowerCase   *bool   `json:"do_lower_case"`
	KeepAccents *bool   `json:"keep_accents"`
	ExtraIDs    *int    `json:"extra_ids"`
	Offset      *int    `json:"offset"`
	Source      *string `json:"src_lang"`
	Separate    bool    `json:"separate_vocabs"`
	SentMask    *string `json:"mask_token_sent"`

	// Extra is a list of tokens, or an object of names and tokens, which is nothing to us.
	Extra rawMessage `json:"extra_special_tokens"`
}

// extra lists the tokens that transformers 5 calls extra_special_tokens.
func (s *pieceSettings) extra() (tokens []string, err error) {
	if len(s.Extra) == 0 || s.Extra[0] != '[' {
		return nil, nil
	}
	var list []configToken
	if err := unmarshal(s.Extra, &list); err != nil {
		return nil, fmt.Errorf("extra_special_tokens: %w", err)
	}
	for _, token := range list {
		tokens = append(tokens, token.content)
	}
	return tokens, nil
}

// A pieceClass is what some classes of transformers make of SentencePiece's file.
type pieceClass struct {
	classes, types []string // as tokenizer_config.json names them, without Tokenizer and Fast, and as config.json
	roles          map[string]string

	// The ids: head takes the place of the first drop pieces, and tail follows them all. Names of roles stand for their
	// tokens.
	head, tail []string
	drop       int
	sentinels  int      // <extra_id_99> to <extra_id_0> follow the tail; extra_ids says how many
	unused     int      // masks and <unk_2> to <unk_102> are in the head; offset says how many, and 2 more
	languages  []string // follow all but the mask

	special      []string // further special tokens
	quotes       bool     // `` and '' are ", marks may go, and 9, is 9 and ,
	lower        bool     // do_lower_case, where tokenizer_config.json does not say
	first        bool     // the blank before a text is not put before what follows a special token, unless legacy says so
	single, pair string   // templates; "": bos and eos, as far as add_bos_token and add_eos_token want them
	bos          bool     // add_bos_token, where tokenizer_config.json does not say
}

func pieceClasses() []*pieceClass {
	fairseqRoles := map[string]string{"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>",
		"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
	llama := map[string]string{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
	fairseq := []string{"bos_token", "pad_token", "eos_token", "unk_token"}
	mask := []string{"mask_token"}
	mbart := strings.Fields("ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN")
	mbart50 := strings.Fields("af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI")
	const around, aroundPair = "bos A eos", "bos A eos eos B eos"
	return []*pieceClass{
		{
			classes: []string{"T5", "MT5"}, types: []string{"t5", "mt5", "umt5", "longt5", "switch_transformers"},
			roles:     map[string]string{"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
			sentinels: 100, single: "A eos", pair: "A eos B eos",
		},
		{
			classes: []string{"Albert"}, types: []string{"albert"},
			roles: map[string]string{"bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "<unk>", "sep_token": "[SEP]",
				"pad_token": "<pad>", "cls_token": "[CLS]", "mask_token": "[MASK]"},
			quotes: true, lower: true, single: "cls A sep", pair: "cls A sep B:1 sep:1",
		},
		{
			classes: []string{"XLNet"}, types: []string{"xlnet"},
			roles: map[string]string{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "<sep>",
				"pad_token": "<pad>", "cls_token": "<cls>", "mask_token": "<mask>"},
			special: []string{"<eop>", "<eod>"},
			quotes:  true, single: "A sep cls:2", pair: "A sep B:1 sep:1 cls:2",
		},
		{
			classes: []string{"XLMRoberta"}, types: []string{"xlm-roberta", "xlm-roberta-xl", "trocr"},
			roles: fairseqRoles, head: fairseq, drop: 3, tail: mask, single: around, pair: aroundPair,
		},
		{
			classes: []string{"Camembert"}, types: []string{"camembert"},
			roles: fairseqRoles, head: []string{"<s>NOTUSED", "pad_token", "</s>NOTUSED", "unk_token", "<unk>NOTUSED"}, drop: 1, tail: mask,
			special: []string{"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"}, single: around, pair: aroundPair,
		},
		{
			classes: []string{"MBart"}, types: []string{"mbart"},
			roles: fairseqRoles, head: fairseq, drop: 3, languages: mbart, tail: mask, single: "A eos source", pair: "A B eos source",
		},
		{
			classes: []string{"MBart50"},
			roles:   fairseqRoles, head: fairseq, drop: 3, languages: slices.Concat(mbart, mbart50), tail: mask,
			single: "source A eos", pair: "source A B eos",
		},
		{
			classes: []string{"Pegasus"}, types: []string{"pegasus", "bigbird_pegasus"},
			roles: map[string]string{"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask_2>"},
			head:  []string{"pad_token", "eos_token"}, drop: 2, unused: 103, single: "A eos", pair: "A B eos",
		},
		{
			classes: []string{"Llama"}, types: []string{"llama", "mistral", "mixtral", "phi3"},
			roles: llama, first: true, bos: true,
		},
		{
			classes: []string{"CodeLlama"}, types: []string{"code_llama"},
			roles: llama, first: true, bos: true, special: []string{"▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>", "<FILL_ME>"},
		},
		{
			classes: []string{"Gemma"}, types: []string{"gemma", "gemma2", "gemma3", "gemma3_text"},
			roles: map[string]string{"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"},
			first: true, bos: true,
		},
	}
}

// pieceClassOf finds the class by the name in tokenizer_config.json, else by config.json's model_type. A class that
// only says that there is a tokenizer.json says nothing.
func pieceClassOf(classes []*pieceClass, class, modelType string) (*pieceClass, error) {
	short := strings.TrimSuffix(strings.TrimSuffix(class, "Fast"), "Tokenizer")
	if short != "" && short != "PreTrained" && short != "TokenizersBackend" {
		for _, c := range classes {
			if slices.Contains(c.classes, short) {
				return c, nil
			}
		}
		return nil, unsupported("tokenizer_class", class)
	}
	for _, c := range classes {
		if slices.Contains(c.types, modelType) {
			return c, nil
		}
	}
	if modelType == "" {
		return nil, fmt.Errorf("neither tokenizer_class nor model_type says what goes around its pieces, which is %w", ErrUnsupported)
	}
	return nil, unsupported("the tokenizer of model_type", modelType)
}

// maxExtra is more than any vocabulary has of tokens for later use.
const maxExtra = 1 << 16

// around lists the tokens before and after those of the file, for the settings and the tokens of roles.
func (c *pieceClass) around(s *pieceSettings, roles map[string]string) (head, tail []string, err error) {
	named := func(list []string) (out []string) {
		for _, name := range list {
			if token, ok := roles[name]; ok {
				name = token
			}
			out = append(out, name)
		}
		return out
	}
	count := func(setting string, said *int, usual int) (int, error) {
		if said == nil {
			return usual, nil
		}
		if *said < 0 || *said > maxExtra {
			return 0, unsupported(setting, strconv.Itoa(*said))
		}
		return *said, nil
	}
	head, tail = named(c.head), slices.Concat(c.languages, named(c.tail))
	if c.sentinels > 0 {
		n, err := count("extra_ids", s.ExtraIDs, c.sentinels)
		if err != nil {
			return nil, nil, err
		}
		for i := n - 1; i >= 0; i-- {
			tail = append(tail, "<extra_id_"+strconv.Itoa(i)+">")
		}
	}
	if c.unused > 0 {
		n, err := count("offset", s.Offset, c.unused)
		if err != nil {
			return nil, nil, err
		}
		if n > 0 {
			sentences := "<mask_1>"
			if s.SentMask != nil {
				sentences = *s.SentMask
			}
			head = append(head, sentences, roles["mask_token"])
		}
		for i := 2; i < n; i++ {
			head = append(head, "<unk_"+strconv.Itoa(i)+">")
		}
	}
	return head, tail, nil
}
