package pipeline

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a model cannot do, the error says what it can do.
func TestTasks(t *testing.T) {
	tests := []struct {
		dir, kind string
		can       []string
	}{
		{"st-mean", "BertModel", []string{"embed", "rank"}},
		{"ce-one", "BertForSequenceClassification of one label", []string{"embed", "rank", "classify"}},
		{"ce-three", "BertForSequenceClassification of 3 labels", []string{"embed", "classify"}},
		{"../../model/generate/testdata/llama", "LlamaForCausalLM", []string{"embed", "rank", "generate"}},
	}
	for _, tt := range tests {
		m := openTest(t, tt.dir)
		require.Equal(t, tt.can, m.Tasks())
		for _, task := range tasks {
			err := m.can(task.name)
			wrong, failed := errors.AsType[*TaskError](err)
			if !failed {
				require.NoError(t, err)
				require.Contains(t, tt.can, task.name)
				continue
			}
			require.Equal(t, tt.can, wrong.Can)
			require.Equal(t, tt.kind, wrong.Model)
			require.ErrorContains(t, err, m.name)
			require.ErrorContains(t, err, task.head)
		}
	}
}
