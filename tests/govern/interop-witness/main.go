// Holds our cosignatures, requests and consistency proofs to other implementations: filippo.io/torchwood
// (tlog-cosignature) and golang.org/x/mod/sumdb.
//
//	witness verify LOG-VKEY KEY-FILE NOTE-FILE   log and witness have signed the note
//	witness sign KEY-FILE NOTE-FILE              prints the verifier key, and a cosignature line of its own
//	witness request OLD LOG-FOLDER               prints the request of add-checkpoint that leads there from OLD
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Println("not accepted:", err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	b, err := os.ReadFile(path)
	must(err)
	return b
}

// A witness's key as its folder has it: PRIVATE+KEY+name+hash+base64(4, seed).
func signer(file string) *torchwood.CosignatureSigner {
	parts := strings.SplitN(strings.TrimSpace(string(read(file))), "+", 5)
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	must(err)
	if raw[0] != 4 || len(raw) != 33 {
		must(fmt.Errorf("a key of type %d, %d bytes", raw[0], len(raw)))
	}
	s, err := torchwood.NewCosignatureSigner(parts[2], ed25519.NewKeyFromSeed(raw[1:]))
	must(err)
	if fmt.Sprintf("%08x", s.KeyHash()) != parts[3] {
		must(fmt.Errorf("the key's hash is %08x", s.KeyHash()))
	}
	return s
}

func verify(logVkey, keyFile, file string) {
	l, err := note.NewVerifier(logVkey)
	must(err)
	n, err := note.Open(read(file), note.VerifierList(l, signer(keyFile).Verifier()))
	must(err)
	if len(n.Sigs) != 2 {
		must(fmt.Errorf("%d known signatures", len(n.Sigs)))
	}
	_, err = torchwood.ParseCheckpoint(n.Text)
	must(err)
	for _, s := range n.Sigs[1:] {
		t, err := torchwood.CosignatureTimestamp(s)
		must(err)
		fmt.Println("accepted: time", t)
	}
}

func sign(keyFile, file string) {
	s := signer(keyFile)
	text, _, _ := bytes.Cut(read(file), []byte("\n\n"))
	signed, err := note.Sign(&note.Note{Text: string(text) + "\n"}, s)
	must(err)
	_, line, _ := strings.Cut(string(signed), "\n\n")
	fmt.Printf("%s\n%s", s.Verifier().String(), line)
}

type folder string

func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), strings.Replace(t.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func request(old, dir string) {
	from, err := strconv.ParseInt(old, 10, 64)
	must(err)
	text := read(filepath.Join(dir, "checkpoint"))
	body, _, _ := strings.Cut(string(text), "\n\n")
	c, err := torchwood.ParseCheckpoint(body + "\n")
	must(err)
	fmt.Printf("old %d\n", from)
	if from > 0 && from < c.N {
		hashes := tlog.TileHashReader(c.Tree, folder(dir))
		proof, err := tlog.ProveTree(c.N, from, hashes)
		must(err)
		before, err := tlog.TreeHash(from, hashes)
		must(err)
		must(tlog.CheckTree(proof, c.N, c.Hash, from, before))
		for _, h := range proof {
			fmt.Println(h)
		}
	}
	fmt.Printf("\n%s", text)
}

func main() {
	switch os.Args[1] {
	case "verify":
		verify(os.Args[2], os.Args[3], os.Args[4])
	case "sign":
		sign(os.Args[2], os.Args[3])
	case "request":
		request(os.Args[2], os.Args[3])
	}
}
