using System.Text;

namespace LoraKernels.Tests.Bindings;

/// <summary>A C program that holds a parsed header against the real one.</summary>
internal static class CProbe
{
    /// <summary>Writes the program. It prints a line <c>key value</c> for every size, offset and constant.</summary>
    /// <remarks>It does not compile where a parsed field's or function's type is not the real one, to the last const.
    /// </remarks>
    public static string Write(CHeader header)
    {
        var text = new StringBuilder();
        foreach (string include in new[] { "\"lorakernels.h\"", "<stddef.h>", "<stdio.h>" })
            text.AppendLine($"#include {include}");
        foreach (CFunction function in header.Functions)
            AppendTypeCheck(text, $"&{function.Name}", new CFunctionPointerType(function.Result, function.Parameters));
        foreach ((CStruct type, CVariable field) in Fields(header))
            AppendTypeCheck(text, $"&(({type.Name}*)0)->{field.Name}", new CPointerType(field.Type, false));

        text.AppendLine("int main(void) {");
        foreach (CConstant constant in header.Constants)
            AppendPrint(text, constant.Name, constant.Name);
        foreach (CEnum type in header.Enums)
        {
            AppendPrint(text, type.Name, $"sizeof({type.Name})");
            foreach (CConstant enumerator in type.Enumerators)
                AppendPrint(text, $"{type.Name}.{enumerator.Name}", enumerator.Name);
        }

        foreach (CStruct type in header.Structs.Where(type => !type.IsOpaque))
            AppendPrint(text, type.Name, $"sizeof({type.Name})");
        foreach ((CStruct type, CVariable field) in Fields(header))
            AppendPrint(text, $"{type.Name}.{field.Name}", $"offsetof({type.Name}, {field.Name})");
        return text.AppendLine("return 0;").AppendLine("}").ToString();
    }

    private static IEnumerable<(CStruct Type, CVariable Field)> Fields(CHeader header) =>
        header.Structs.SelectMany(type => type.Fields.Select(field => (type, field)));

    private static void AppendTypeCheck(StringBuilder text, string expression, CType type) =>
        text.AppendLine(
            $"_Static_assert(_Generic({expression}, {Declare(type, "")}: 1, default: 0), \"{expression}\");");

    private static void AppendPrint(StringBuilder text, string key, string expression) =>
        text.AppendLine($"printf(\"{key} %lld\\n\", (long long)({expression}));");

    // C's declarators grow from the name outwards.
    private static string Declare(CType type, string declarator) => type switch
    {
        CNamedType named => $"{named.Name} {declarator}",
        CPointerType { Target: CArrayType } pointer => Declare(pointer.Target, $"(*{declarator})"),
        CPointerType pointer => (pointer.TargetIsConst ? "const " : "") + Declare(pointer.Target, $"*{declarator}"),
        CArrayType array => Declare(array.Element, $"{declarator}[{array.Length}]"),
        CFunctionPointerType function => Declare(function.Result, $"(*{declarator})({Parameters(function)})"),
        _ => throw new NotSupportedException($"{type} cannot be spelled."),
    };

    private static string Parameters(CFunctionPointerType function) => function.Parameters.Count == 0
        ? "void"
        : string.Join(", ", function.Parameters.Select(parameter => Declare(parameter.Type, parameter.Name)));
}
