package pipeline_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/pipeline"
)

// Three texts become three vectors, one after the other.
func ExampleEmbedder_AppendEmbed() {
	m, err := pipeline.Open("testdata/st-mean")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	e, err := m.Embedder()
	if err != nil {
		log.Fatal(err)
	}
	vectors, err := e.AppendEmbed(context.Background(), nil, "The river is old.", "", "What is the way to the tower?")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(vectors)/e.Dim(), "vectors of", e.Dim())
	// Output: 3 vectors of 20
}

// An index finds the text that is most like another.
func ExampleIndex() {
	m, err := pipeline.Open("testdata/st-mean") // a toy with random weights
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	e, err := m.Embedder()
	if err != nil {
		log.Fatal(err)
	}
	texts := []string{"The river is old.", "What is the way to the tower?", "Paris, London and Berlin are big"}
	vectors, err := e.AppendEmbed(context.Background(), nil, texts...)
	if err != nil {
		log.Fatal(err)
	}
	index, err := pipeline.NewIndex(e.Dim())
	if err != nil {
		log.Fatal(err)
	}
	defer index.Close()
	if err := index.Add(vectors); err != nil {
		log.Fatal(err)
	}
	query, err := e.AppendEmbed(context.Background(), nil, "The river is cold.")
	if err != nil {
		log.Fatal(err)
	}
	hits, _, err := index.AppendSearch(context.Background(), nil, 2, query)
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range hits {
		fmt.Printf("%.2f %s\n", h.Score, texts[h.Index])
	}
	// Output:
	// 0.96 What is the way to the tower?
	// 0.87 Paris, London and Berlin are big
}

// A cross-encoder reads each text together with the query.
func ExampleRanker_AppendScores() {
	m, err := pipeline.Open("testdata/ce-one")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	r, err := m.Ranker()
	if err != nil {
		log.Fatal(err)
	}
	scores, err := r.AppendScores(context.Background(), nil, "how do i open the door?",
		"The river is old.", "What is the way to the tower?")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", scores)
	// Output: [0.336 0.363]
}

// A model of entailment tells labels apart that it was never trained for.
func ExampleZeroShot_Classify() {
	m, err := pipeline.Open("testdata/nli") // a toy with random weights
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	z, err := m.ZeroShot()
	if err != nil {
		log.Fatal(err)
	}
	answers, err := z.Classify(context.Background(), pipeline.ZeroShotConfig{
		Labels: []string{"river", "old tower", "people who read"},
	}, "The river is old.")
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range answers[0] {
		fmt.Printf("%.2f %s\n", l.Score, l.Label)
	}
	// Output:
	// 0.37 old tower
	// 0.33 river
	// 0.31 people who read
}

// A token classifier finds names and the like, and says where they stand.
func ExampleTagger_Tag() {
	m, err := pipeline.Open("testdata/tag-bert") // a toy with random weights
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	tagger, err := m.Tagger()
	if err != nil {
		log.Fatal(err)
	}
	found, err := tagger.Tag(context.Background(), pipeline.TagConfig{}, "What is the way to the tower?")
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range found[0] {
		fmt.Printf("%s %.2f %d-%d %q\n", e.Label.Label, e.Score, e.Start, e.End, e.Text)
	}
	// Output:
	// LOC 0.87 0-4 "What"
	// LOC 0.66 5-29 "is the way to the tower?"
}

// The answer to a question is a part of a document.
func ExampleAnswerer_Answer() {
	m, err := pipeline.Open("testdata/qa-bert") // a toy, whose answers are random
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	a, err := m.Answerer()
	if err != nil {
		log.Fatal(err)
	}
	document := "The tower stands by the river."
	found, err := a.Answer(context.Background(), pipeline.AnswerConfig{}, document, "Where does the tower stand?")
	if err != nil {
		log.Fatal(err)
	}
	best := found[0][0] // of the first question, the best
	fmt.Printf("%q is %q\n", best.Text, document[best.Start:best.End])
	// Output: "tower stands by the river." is "tower stands by the river."
}

// A masked language model says what may stand in the place of a mask.
func ExampleMaskFiller_Fill() {
	m, err := pipeline.Open("testdata/mlm-bert") // a toy, too
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	f, err := m.MaskFiller()
	if err != nil {
		log.Fatal(err)
	}
	fills, err := f.Fill(context.Background(), pipeline.FillConfig{Top: 2}, "The river is "+f.Mask()+".")
	if err != nil {
		log.Fatal(err)
	}
	for _, fill := range fills[0][0] { // of the first text, the first mask
		fmt.Printf("%.3f %s\n", fill.Score, fill.Token)
	}
	// Output:
	// 0.100 it
	// 0.055 third
}

// A translator writes texts in the languages that its model was trained for.
func ExampleTranslator_Translate() {
	m, err := pipeline.Open("testdata/to-marian") // a toy that writes one line for another
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	t, err := m.Translator()
	if err != nil {
		log.Fatal(err)
	}
	texts, err := t.Translate(context.Background(), pipeline.TranslateConfig{Target: "fra"}, "The jury repaired an index of all the fields.", "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", texts)
	// Output: ["The Cello In The Operating Theatre: Notes" ""]
}

// A summarizer takes texts of any length; those that its model cannot read at once
// are summarised in parts.
func ExampleSummarizer_Summarize() {
	m, err := pipeline.Open("testdata/to-bart") // likewise
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.Summarizer()
	if err != nil {
		log.Fatal(err)
	}
	var cfg pipeline.SummarizeConfig
	cfg.Generate = func(c *generate.Config) { c.Beams.Width, c.MaxNewTokens = 2, 12 } // as a flag of the command does
	cfg.Chunked = func(text, parts int) { fmt.Println("text", text, "in", parts, "parts") }
	texts, err := s.Summarize(context.Background(), cfg, "Best books on the offside rule")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(texts[0])
	// Output: A floc In The Server
}

// A language model continues a text, token by token.
func ExampleGenerator_Generate() {
	m, err := pipeline.Open("../model/generate/testdata/llama") // a toy; or any folder with a decoder
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	g, err := m.Generator()
	if err != nil {
		log.Fatal(err)
	}
	cfg := pipeline.GenerateConfig{Stop: []string{","}}
	cfg.MaxNewTokens = 40 // and Temperature, TopK, Seed …; greedy as it is
	for token, err := range g.Generate(context.Background(), "It was a", cfg) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	// Output: fter midnight
}
