package attack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSchemaOfAssumptions: what reports are published to say has each kind of
// assumption.
func TestSchemaOfAssumptions(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "internal", "report", "schema.json"))
	require.NoError(t, err)
	var schema struct {
		Defs struct {
			Assumption struct {
				Properties struct {
					Kind struct{ Enum []string }
				}
			}
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(data, &schema))
	assert.Equal(t, everyAssumed, schema.Defs.Assumption.Properties.Kind.Enum)
}
