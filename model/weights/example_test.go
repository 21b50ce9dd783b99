package weights_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ladon-ml/ladon/model/weights"
)

// Tensors are written to a file and read back.
func Example() {
	dir, err := os.MkdirTemp("", "weights")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	err = weights.Write(path, []weights.Tensor{
		weights.Of("embeddings.weight", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}),
		weights.Of("position_ids", []int{3}, []int64{0, 1, 2}),
	}, map[string]string{"format": "pt"})
	if err != nil {
		log.Fatal(err)
	}

	set, err := weights.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	for _, name := range set.Names() {
		info, _ := set.Lookup(name)
		fmt.Println(name, info.DType, info.Shape)
	}

	// The second row alone.
	row := make([]float32, 3)
	if err := set.ReadFloat32s(row, "embeddings.weight", 3); err != nil {
		log.Fatal(err)
	}
	fmt.Println(row)
	// Output:
	// position_ids I64 [3]
	// embeddings.weight F32 [2 3]
	// [4 5 6]
}

// An error says which file and tensor are at fault, and why.
func ExampleFormatError() {
	header := `{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`
	file := append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header+"1234"...)
	_, err := weights.OpenBytes("model.safetensors", file)
	fmt.Println(err)
	var e *weights.FormatError
	fmt.Println(errors.As(err, &e), errors.Is(err, weights.ErrSize))
	// Output:
	// weights: model.safetensors: tensor "bias": shape and dtype do not match the number of bytes: [2] of F32 needs 8 bytes, has 4
	// true true
}
