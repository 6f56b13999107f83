// Hosts under switches under switches: what schedulers' files say of a fabric, and a Graph of it.
//
// Such files know neither devices nor rates. A host becomes one rank with one NIC a switch that it
// stands under; rates are 0, and the cables are taken for InfiniBand. A named domain (NVLink) is
// the rank's Node::domain. Where the file has no switch at all, one is assumed to join all hosts:
// that they cannot reach each other is not what it says. Filled by one reader, then turned into a
// graph once; no thread promises.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

class HostTree {
 public:
  struct Host {
    std::string domain;
    std::string rack;
    std::string model;
    std::vector<size_t> switches;
    uint32_t line = 0;
  };
  struct Switch {
    std::vector<size_t> children;
    uint32_t line = 0;  // 0: only named by another
    bool has_hosts = false;
    bool is_assumed = false;
    std::vector<std::pair<std::string, std::string>> attributes;
  };

  // Added where there is none of that name. References stay until the next is added.
  Host& host(std::string_view name);
  size_t switch_index(std::string_view name);
  Switch& at(size_t index) { return switches_[index].second; }

  // The host stands under the switch.
  void place(std::string_view host, size_t under);

  // Switches that stand in a circle, and names of both a switch and a host, are errors with the
  // line.
  Result<Graph> make_graph(std::string origin) &&;

 private:
  void join_all();
  Status find_heights();
  Status add_switches(GraphBuilder& builder) const;
  Status add_hosts(GraphBuilder& builder) const;

  std::vector<std::pair<std::string, Host>> hosts_;
  std::vector<std::pair<std::string, Switch>> switches_;
  std::map<std::string, size_t, std::less<>> host_by_name_;
  std::map<std::string, size_t, std::less<>> switch_by_name_;
  std::vector<uint32_t> heights_;  // of switches, above the lowest
};

}  // namespace unirack
