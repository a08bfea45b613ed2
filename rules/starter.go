package rules

import (
	"embed"
	"io/fs"
)

//go:embed pack
var pack embed.FS

// Starter returns the rules and policies that come with the engine. It brings no lists: nobody is exempt.
func Starter() fs.FS {
	sub, err := fs.Sub(pack, "pack")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	return sub
}
