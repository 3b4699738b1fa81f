namespace LoraKernels.Tests.Bindings;

/// <summary>Every small way in which a header can drift away from its bindings.</summary>
internal static class HeaderMutations
{
    private static readonly CNamedType Added = new("uint64_t");

    /// <returns>What was changed, and the header with only that changed.</returns>
    public static IEnumerable<(string What, CHeader Header)> All(CHeader header)
    {
        foreach ((string what, IReadOnlyList<CConstant> constants) in OfConstants("", header.Constants))
            yield return (what, header with { Constants = constants });

        foreach ((string what, IReadOnlyList<CEnum> enums) in OfList("", header.Enums, OfEnum, new CEnum("added", [])))
            yield return (what, header with { Enums = enums });

        foreach ((string what, IReadOnlyList<CStruct> structs) in
            OfList("", header.Structs, OfStruct, new CStruct("added", [])))
            yield return (what, header with { Structs = structs });

        foreach ((string what, IReadOnlyList<CFunction> functions) in
            OfList("", header.Functions, OfFunction, new CFunction("added", Added, [])))
            yield return (what, header with { Functions = functions });
    }

    private static IEnumerable<(string What, CEnum Mutant)> OfEnum(CEnum type) =>
        OfConstants(type.Name + ".", type.Enumerators)
            .Concat(Swaps(type.Name, type.Enumerators))
            .Select(mutation => (mutation.What, type with { Enumerators = mutation.Mutant }))
            .Append(($"{type.Name} renamed", type with { Name = type.Name + "_renamed" }));

    private static IEnumerable<(string What, CStruct Mutant)> OfStruct(CStruct type) =>
        OfVariables(type.Name, type.Fields)
            .Select(mutation => (mutation.What, type with { Fields = mutation.Mutant }))
            .Append(($"{type.Name} renamed", type with { Name = type.Name + "_renamed" }));

    private static IEnumerable<(string What, CFunction Mutant)> OfFunction(CFunction function) =>
        OfVariables(function.Name, function.Parameters)
            .Select(mutation => (mutation.What, function with { Parameters = mutation.Mutant }))
            .Append(($"{function.Name} renamed", function with { Name = function.Name + "_renamed" }))
            .Append(($"{function.Name} returns another type", function with { Result = OtherThan(function.Result) }));

    private static IEnumerable<(string What, IReadOnlyList<CConstant> Mutant)> OfConstants(
        string prefix,
        IReadOnlyList<CConstant> constants) =>
        OfList(prefix, constants, constant => OfConstant(prefix, constant), new CConstant("added", 77));

    private static IEnumerable<(string What, CConstant Mutant)> OfConstant(string prefix, CConstant constant) =>
    [
        ($"{prefix}{constant.Name} has another value", constant with { Value = constant.Value + 1 }),
        ($"{prefix}{constant.Name} renamed", constant with { Name = constant.Name + "_RENAMED" }),
    ];

    private static IEnumerable<(string What, IReadOnlyList<CVariable> Mutant)> OfVariables(
        string owner,
        IReadOnlyList<CVariable> variables) =>
        OfList(owner + ".", variables, variable => OfVariable(owner, variable), new CVariable("added", Added))
            .Concat(Swaps(owner, variables));

    private static IEnumerable<(string What, CVariable Mutant)> OfVariable(string owner, CVariable variable) =>
    [
        ($"{owner}.{variable.Name} has another type", variable with { Type = OtherThan(variable.Type) }),
        ($"{owner}.{variable.Name} renamed", variable with { Name = variable.Name + "_renamed" }),
    ];

    // Of the same kind and as alike as can be: a longer array, another parameter, another integer, one star more.
    private static CType OtherThan(CType type) => type switch
    {
        CArrayType array => array with { Length = array.Length + 1 },
        CFunctionPointerType function => function with { Parameters = [.. function.Parameters, new("added", Added)] },
        CNamedType { Name: "int32_t" } => new CNamedType("uint32_t"),
        CNamedType { Name: "uint32_t" } => new CNamedType("int32_t"),
        CNamedType { Name: "int64_t" } => new CNamedType("uint64_t"),
        CNamedType => new CNamedType("int32_t"),
        _ => new CPointerType(type, TargetIsConst: false),
    };

    private static IEnumerable<(string What, IReadOnlyList<T> Mutant)> OfList<T>(
        string prefix,
        IReadOnlyList<T> list,
        Func<T, IEnumerable<(string What, T Mutant)>> mutate,
        T added)
        where T : ICNamed
    {
        yield return ($"{prefix}{added.Name} added", [.. list, added]);
        for (int i = 0; i < list.Count; i++)
        {
            yield return ($"{prefix}{list[i].Name} removed", [.. list.Take(i), .. list.Skip(i + 1)]);
            foreach ((string what, T mutant) in mutate(list[i]))
                yield return (what, [.. list.Take(i), mutant, .. list.Skip(i + 1)]);
        }
    }

    private static IEnumerable<(string What, IReadOnlyList<T> Mutant)> Swaps<T>(string owner, IReadOnlyList<T> list)
        where T : ICNamed
    {
        for (int i = 0; i + 1 < list.Count; i++)
        {
            yield return (
                $"{owner}.{list[i].Name} and the next swapped",
                [.. list.Take(i), list[i + 1], list[i], .. list.Skip(i + 2)]);
        }
    }
}
