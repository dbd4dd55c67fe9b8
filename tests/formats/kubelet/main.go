// Prints what the kubelet finds in an env file for each of the given names, as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/kubernetes/pkg/kubelet/util/env"
)

func main() {
	found := map[string]string{}
	for _, name := range os.Args[2:] {
		value, err := env.ParseEnv(os.Args[1], name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// To the kubelet, nothing is the same as no such key.
		if value != "" {
			found[name] = value
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
