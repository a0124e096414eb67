// Package network is what a network of stations has in common, as an entity: the
// catalogue of measures that its stations were stored with.
//
// A station's pages and events are columns in the order of the catalogue, in its
// decimals and aggregates. Read with another one, they would say something else,
// or nothing. So the catalogue is part of what a store holds, and a node declares
// its own before anything else is read:
//
//	declared, err := network.Declare.Ask(ctx, node, network.CatalogueID, &network.Declaration{Catalogue: catalogue})
//
// # What it promises
//
// The first declaration is recorded. A later one may add measures at the end,
// change texts of units, and change limits: that is recorded, if it is any
// change. What values are usual is not, as a value that is marked says so itself.
// One that contradicts, because a measure is gone, stands elsewhere, or
// has another name, other decimals, another aggregate or another trace, is
// rejected with the reason [Contradiction] and a message that names each such
// measure, and changes nothing. So what was once stored can always be read.
//
// [Measures] asks for the catalogue; [Recorded] reads it from a store that nobody
// serves from.
//
// The kind is a package variable, immutable, and may be used by many nodes.
package network
