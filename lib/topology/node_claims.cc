#include "lib/topology/node_claims.h"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace unirack {

namespace {

// Which of two values is kept when both are known equally well.
template <class T>
bool is_preferred(const T& a, const T& b) {
  return a < b;
}
bool is_preferred(Health a, Health b) { return a > b; }

Provenance provenance_of(const Node& node, std::string_view field) {
  for (const auto& [name, provenance] : node.known_by) {
    if (name == field) return provenance;
  }
  return node.provenance;
}

Provenance provenance_of_attribute(const Node& node, const std::string& key) {
  return node.known_by.empty() ? node.provenance : provenance_of(node, attribute_field(key));
}

template <class T>
void keep_better(T& kept, Provenance& by, const T& value, Provenance value_by) {
  if (!is_known(value)) return;
  if (!is_known(kept) || value_by < by || (value_by == by && is_preferred(value, kept))) {
    kept = value;
    by = value_by;
  }
}

}  // namespace

NodeClaims::NodeClaims(const Node& node) : node_(node) {
  each_field([&](size_t i, const char* field, auto) { by_[i] = provenance_of(node, field); });
  for (const auto& attribute : node.attributes) {
    attributes_by_.push_back(provenance_of_attribute(node, attribute.first));
  }
}

void NodeClaims::add(const Node& node) {
  each_field([&](size_t i, const char* field, auto member) {
    keep_better(node_.*member, by_[i], node.*member, provenance_of(node, field));
  });
  for (const auto& [key, value] : node.attributes) add_attribute(node, key, value);
  node_.provenance = std::min(node_.provenance, node.provenance);
}

size_t NodeClaims::place_of(const std::string& key) const {
  const auto at =
      std::lower_bound(node_.attributes.begin(), node_.attributes.end(), key,
                       [](const auto& each, const std::string& k) { return each.first < k; });
  return static_cast<size_t>(at - node_.attributes.begin());
}

// An empty value of an attribute is a value.
void NodeClaims::add_attribute(const Node& node, const std::string& key, const std::string& value) {
  const size_t at = place_of(key);
  const Provenance by = provenance_of_attribute(node, key);
  if (at == node_.attributes.size() || node_.attributes[at].first != key) {
    const auto offset = static_cast<ptrdiff_t>(at);
    node_.attributes.emplace(node_.attributes.begin() + offset, key, value);
    attributes_by_.insert(attributes_by_.begin() + offset, by);
    return;
  }
  std::string& kept = node_.attributes[at].second;
  if (std::tie(by, value) < std::tie(attributes_by_[at], kept)) {
    kept = value;
    attributes_by_[at] = by;
  }
}

void NodeClaims::compare(const Node& node, const std::function<void(std::string)>& report) const {
  const auto say = [&](const std::string& field, const std::string& kept, const std::string& value,
                       Provenance by) {
    report("node '" + node_.name + "': " + field + " is " + value + " as well as " + kept +
           ", both " + std::string(to_text(by)) + "; kept " + kept);
  };
  each_field([&](size_t i, const char* field, auto member) {
    const auto& value = node.*member;
    if (!is_known(value) || value == node_.*member || provenance_of(node, field) != by_[i]) return;
    say(field, field_text(node_.*member), field_text(value), by_[i]);
  });
  for (const auto& [key, value] : node.attributes) {
    const size_t at = place_of(key);
    const std::string& kept = node_.attributes[at].second;
    if (value == kept || provenance_of_attribute(node, key) != attributes_by_[at]) continue;
    say("attribute " + key, field_text(kept), field_text(value), attributes_by_[at]);
  }
}

Node NodeClaims::take() && {
  node_.known_by.clear();
  const auto note = [&](std::string field, Provenance by) {
    if (by != node_.provenance) node_.known_by.emplace_back(std::move(field), by);
  };
  each_field([&](size_t i, const char* field, auto member) {
    if (is_known(node_.*member)) note(field, by_[i]);
  });
  for (size_t i = 0; i < node_.attributes.size(); ++i) {
    note(attribute_field(node_.attributes[i].first), attributes_by_[i]);
  }
  std::sort(node_.known_by.begin(), node_.known_by.end());
  return std::move(node_);
}

}  // namespace unirack
