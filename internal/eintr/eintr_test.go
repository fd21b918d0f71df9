package eintr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTriesEnd(t *testing.T) { // found 2
	var tries Tries
	made := 1
	for tries.Again() {
		made++
	}
	require.Equal(t, max+1, made)
	require.False(t, tries.Again(), "what is hopeless stays so")
}
