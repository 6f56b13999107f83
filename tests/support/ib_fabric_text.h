// Writes small InfiniBand fabrics as ibnetdiscover prints them, each cable at both its ends.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace unirack::testing {

class IbFabricText {
 public:
  // Nodes are named by their descriptions here; ids follow from their order.
  void add_switch(const std::string& name) { add('S', name); }
  void add_adapter(const std::string& name) { add('H', name); }

  // At the next free ports of both.
  void join(const std::string& a, const std::string& b, const std::string& rate = "4xNDR") {
    Place& from = place(a);
    Place& to = place(b);
    const size_t from_port = from.ports.size() + 1;
    const size_t to_port = to.ports.size() + 1;
    from.ports.push_back(port_text(from, from_port, to, to_port, rate));
    to.ports.push_back(port_text(to, to_port, from, from_port, rate));
  }

  // A host of so many adapters; adapter i is plugged into leaf i (or into none where it is "").
  void add_host(const std::string& name, const std::vector<std::string>& devices,
                const std::vector<std::string>& leaves) {
    for (size_t i = 0; i < devices.size(); ++i) {
      if (leaves[i].empty()) continue;
      add_adapter(name + " " + devices[i]);
      join(name + " " + devices[i], leaves[i]);
    }
  }

  std::string text() const {
    std::string text = "#\n# Topology file: generated on Wed Aug  6 16:11:23 2025\n#\n";
    for (const Place& each : places_) {
      const bool is_switch = each.id[0] == 'S';
      text += fmt::format("\nvendid=0x2c9\ndevid=0x1021\n{} {} \"{}\"\t\t# \"{}\"{}\n",
                          is_switch ? "Switch\t" : "Ca\t", is_switch ? 64 : 2, each.id, each.name,
                          is_switch ? " enhanced port 0 lid 1 lmc 0" : "");
      for (const std::string& port : each.ports) text += port;
    }
    return text;
  }

 private:
  struct Place {
    std::string id;
    std::string name;
    std::vector<std::string> ports;
  };

  void add(char kind, const std::string& name) {
    index_[name] = places_.size();
    places_.push_back({fmt::format("{}-{:016x}", kind, places_.size() + 1), name, {}});
  }

  Place& place(const std::string& name) { return places_.at(index_.at(name)); }

  static std::string port_text(const Place& from, size_t port, const Place& to, size_t to_port,
                               const std::string& rate) {
    if (from.id[0] == 'S') {
      return fmt::format("[{}]\t\"{}\"[{}]{}\t\t# \"{}\" lid 5 {}\n", port, to.id, to_port,
                         to.id[0] == 'H' ? "(" + to.id.substr(2) + ") " : "", to.name, rate);
    }
    return fmt::format("[{}]({}) \t\"{}\"[{}]\t\t# lid 7 lmc 0 \"{}\" lid 5 {}\n", port,
                       from.id.substr(2), to.id, to_port, to.name, rate);
  }

  std::vector<Place> places_;
  std::map<std::string, size_t> index_;
};

}  // namespace unirack::testing
