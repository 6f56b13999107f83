// Deals amounts out evenly, in whole numbers: what enters on each side to what leaves on each side,
// in proportion, as far as pairs are allowed. For uniform sides this is the circulant: everyone
// gets the same share of everyone, and what does not go round goes to the next neighbours. A pure
// function, callable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace unirack {

// By from * count + to. What was dealt is taken off `enters` and `leaves`, which have one amount
// for each of the same `count` sides; what is left of them fits no allowed pair. What does not go
// round goes to the neighbours from `first` places on.
std::vector<int64_t> spread(std::vector<int64_t>& enters, std::vector<int64_t>& leaves,
                            const std::function<bool(size_t, size_t)>& is_allowed,
                            size_t first = 0);

}  // namespace unirack
