#include "platform/cuda_emulated/symbols.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace lk::emulated {
namespace {

struct Function {
    uint64_t begin;
    uint64_t end;
    std::string name;
};

struct SymbolTable {
    bool absolute = false;  // a program that is not position independent
    std::vector<Function> functions;
};

template <class T>
std::vector<T> read_array(std::ifstream& file, uint64_t offset, uint64_t bytes) {
    std::vector<T> values(bytes / sizeof(T));
    file.seekg(std::streamoff(offset));
    file.read(reinterpret_cast<char*>(values.data()), std::streamsize(values.size() * sizeof(T)));
    if (!file) values.clear();
    return values;
}

// System V ABI, "Object Files". No functions where the file is missing or stripped.
SymbolTable read_table(const std::string& path) {
    SymbolTable table;
    std::ifstream file(path, std::ios::binary);
    const std::vector<Elf64_Ehdr> headers = read_array<Elf64_Ehdr>(file, 0, sizeof(Elf64_Ehdr));
    if (headers.empty() || std::memcmp(headers[0].e_ident, ELFMAG, SELFMAG) != 0) return table;
    table.absolute = headers[0].e_type == ET_EXEC;
    const auto sections =
        read_array<Elf64_Shdr>(file, headers[0].e_shoff, uint64_t(headers[0].e_shnum) * sizeof(Elf64_Shdr));
    for (const Elf64_Shdr& section : sections) {
        if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
        const Elf64_Shdr& names_section = sections[section.sh_link];
        std::vector<char> names = read_array<char>(file, names_section.sh_offset, names_section.sh_size);
        names.push_back('\0');
        for (const Elf64_Sym& symbol : read_array<Elf64_Sym>(file, section.sh_offset, section.sh_size)) {
            if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_name >= names.size()) continue;
            table.functions.push_back(
                {symbol.st_value, symbol.st_value + symbol.st_size, names.data() + symbol.st_name});
        }
    }
    return table;
}

const SymbolTable& table_of(const std::string& module) {
    static std::map<std::string, SymbolTable> tables;
    const auto [entry, is_new] = tables.try_emplace(module);
    if (!is_new) return entry->second;
    for (const std::string& path : {module + ".debug", module, std::string("/proc/self/exe")}) {
        entry->second = read_table(path);
        if (!entry->second.functions.empty()) break;
    }
    return entry->second;
}

std::string demangled(const std::string& name) {
    const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, nullptr),
                                                           &std::free);
    return text == nullptr ? name : text.get();
}

}  // namespace

std::string function_name(const void* address) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    Dl_info module;
    if (dladdr(address, &module) == 0 || module.dli_fname == nullptr) return "";
    const SymbolTable& table = table_of(module.dli_fname);
    const auto base = table.absolute ? 0 : reinterpret_cast<uint64_t>(module.dli_fbase);
    const uint64_t position = reinterpret_cast<uint64_t>(address) - base;
    for (const Function& function : table.functions) {
        if (position >= function.begin && position < function.end) return demangled(function.name);
    }
    return "";
}

}  // namespace lk::emulated
