package minilm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ladon-ml/ladon/pipeline/minilm"
)

func Example() {
	m, err := minilm.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	r, err := m.Ranker()
	if err != nil {
		log.Fatal(err)
	}
	texts := []string{"The harvest was poor this year.", "Paris is the capital of France.", "A dog barks at night."}
	scores, err := r.AppendScores(context.Background(), nil, "Where does the French government sit?", texts...)
	if err != nil {
		log.Fatal(err)
	}
	best := 0
	for i := range scores {
		if scores[i] > scores[best] {
			best = i
		}
	}
	fmt.Println(texts[best])
	// Output: Paris is the capital of France.
}
