package pipeline_test

import (
	"context"
	"fmt"
	"log"

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
