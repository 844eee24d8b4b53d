// Loads a compose file the way Docker Compose does, with its own library: variables, merges, the compose specification's
// JSON schema, and what refers to what. Prints the result as JSON. Variables come from the environment alone, never from a
// file .env that happens to lie beside it. (The module's own command passes no environment to its interpolation.)
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithOsEnv)
	if err == nil {
		project, loadErr := options.LoadProject(context.Background())
		err = loadErr
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(project)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
