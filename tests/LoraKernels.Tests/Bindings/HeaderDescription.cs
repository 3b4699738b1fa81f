namespace LoraKernels.Tests.Bindings;

/// <summary>What the header asks of the bindings: one line of C# for each declaration.</summary>
internal static class HeaderDescription
{
    /// <returns>Declarations by their name.</returns>
    public static SortedDictionary<string, string> Of(CHeader header)
    {
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (CConstant constant in header.Constants)
            lines.Add(constant.Name, $"const int {constant.Name} = {constant.Value}");
        foreach (CEnum type in header.Enums)
            lines.Add(type.Name, $"enum {type.Name} : int {{ {string.Join(", ", type.Enumerators.Select(Value))} }}");
        foreach (CStruct type in header.Structs)
            lines.Add(type.Name, $"struct {type.Name} {{ {string.Join(" ", type.Fields.Select(Field))} }}");
        foreach (CFunction function in header.Functions)
            lines.Add(function.Name, Function(function));
        return lines;
    }

    private static string Value(CConstant enumerator) => $"{enumerator.Name} = {enumerator.Value}";

    private static string Field(CVariable field) => field.Type is CArrayType array
        ? $"fixed {TypeName(array.Element)} {field.Name}[{array.Length}];"
        : $"{TypeName(field.Type)} {field.Name};";

    private static string Function(CFunction function)
    {
        IEnumerable<string> parameters =
            function.Parameters.Select(parameter => $"{TypeName(parameter.Type)} {parameter.Name}");
        return $"{TypeName(function.Result)} {function.Name}({string.Join(", ", parameters)})";
    }

    private static string TypeName(CType type) => type switch
    {
        CNamedType named => TypeName(named.Name),
        CPointerType pointer => TypeName(pointer.Target) + "*",
        CFunctionPointerType function => $"delegate* unmanaged[Cdecl]<{string.Join(
            ", ",
            function.Parameters.Select(parameter => parameter.Type).Append(function.Result).Select(TypeName))}>",
        _ => throw new NotSupportedException($"{type} has no counterpart in C#."),
    };

    private static string TypeName(string name) => name switch
    {
        "char" => "byte",
        "int32_t" => "int",
        "uint32_t" => "uint",
        "int64_t" => "long",
        "uint64_t" => "ulong",
        _ => name,
    };
}
