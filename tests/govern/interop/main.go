// Checks a log of ours with Go's own implementation: golang.org/x/mod/sumdb/note and tlog.
// usage: interop VKEY LOG-FOLDER PROOF-FOLDER, or interop VKEY receipt FILE
// Opens the checkpoint as a signed note; recomputes the root from the tiles through tlog.TileHashReader;
// checks that the hash of every entry of the bundles is the one in the tree; proves every entry and compares with
// the inclusion proofs (PROOF-FOLDER/<index>.tlog-proof) that we have written.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Println("not accepted:", err)
		os.Exit(1)
	}
}

// tlog's paths have the tile height in them, those of tlog-tiles have not: tile/8/0/000 is tile/0/000.
func path(t tlog.Tile) string {
	return strings.Replace(t.Path(), "tile/8/", "tile/", 1)
}

type folder string

func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), path(t)))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func open(text []byte, verifier note.Verifier) (int64, tlog.Hash) {
	n, err := note.Open(text, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(n.Text, "\n")
	if lines[0] != verifier.Name() {
		must(fmt.Errorf("origin %q", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	raw, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	var root tlog.Hash
	copy(root[:], raw)
	return size, root
}

func entries(dir string, size int64) [][]byte {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := min(256, size-n*256)
		t := tlog.Tile{H: 8, L: -1, N: n, W: int(width)}
		name := strings.Replace(path(t), "tile/data/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(err)
		for len(data) > 0 {
			length := int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
	}
	return all
}

// A c2sp.org/tlog-proof@v1: index, path, the checkpoint it leads to, and the extra data, which is the entry in a receipt of ours.
func readProof(file string, verifier note.Verifier) (int64, tlog.RecordProof, int64, tlog.Hash, []byte) {
	text, err := os.ReadFile(file)
	must(err)
	head, checkpoint, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		must(fmt.Errorf("%s: no tlog-proof", file))
	}
	var extra []byte
	if text, found := strings.CutPrefix(lines[1], "extra "); found {
		extra, err = base64.StdEncoding.DecodeString(text)
		must(err)
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	must(err)
	var proof tlog.RecordProof
	for _, l := range lines[2:] {
		h, err := tlog.ParseHash(l)
		must(err)
		proof = append(proof, h)
	}
	size, root := open([]byte(checkpoint), verifier)
	return index, proof, size, root, extra
}

// A receipt by itself: the entry in it is in the log that its checkpoint is of.
func checkReceipt(file string, verifier note.Verifier) {
	index, proof, size, root, entry := readProof(file, verifier)
	must(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(entry)))
	fmt.Printf("accepted: entry %d of %d: %s\n", index, size, entry)
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	must(err)
	if os.Args[2] == "receipt" {
		checkReceipt(os.Args[3], verifier)
		return
	}
	dir := os.Args[2]
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	must(err)
	size, root := open(text, verifier)
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, folder(dir))
	all := entries(dir, size)
	if int64(len(all)) != size {
		must(fmt.Errorf("%d entries in the bundles, %d under the checkpoint", len(all), size))
	}
	got, err := tlog.TreeHash(size, hashes)
	must(err)
	if got != root {
		must(fmt.Errorf("root %v is not %v", got, root))
	}
	for i, e := range all {
		leaf := tlog.RecordHash(e)
		theirs, err := tlog.ProveRecord(size, int64(i), hashes)
		must(err)
		index, ours, at, signed, extra := readProof(filepath.Join(os.Args[3], fmt.Sprintf("%d.tlog-proof", i)), verifier)
		if index != int64(i) || at != size || signed != root || fmt.Sprint(ours) != fmt.Sprint(theirs) {
			must(fmt.Errorf("proof of entry %d differs", i))
		}
		if string(extra) != string(e) {
			must(fmt.Errorf("the extra data of the proof of entry %d is not the entry", i))
		}
		must(tlog.CheckRecord(ours, at, signed, index, leaf))
	}
	fmt.Printf("accepted: %d entries\n", size)
}
