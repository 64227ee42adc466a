//go:build tools

// Package tools names the commands that are built; `go mod tidy` keeps what they need in go.mod.
package tools

import (
	_ "github.com/k8snetworkplumbingwg/whereabouts/cmd"
)
