namespace LoraKernels.Tests.Bindings;

/// <summary>What a C header declares, each list in the header's order.</summary>
internal sealed record CHeader(
    IReadOnlyList<CConstant> Constants,
    IReadOnlyList<CEnum> Enums,
    IReadOnlyList<CStruct> Structs,
    IReadOnlyList<CFunction> Functions)
{
    /// <exception cref="FormatException">Something is not understood; the message names the line.</exception>
    public static CHeader Parse(string text, params string[] defined) =>
        CHeaderParser.Parse(CPreprocessor.Run(text, defined));

    /// <summary>The library's header as the bindings see it.</summary>
    public static CHeader ReadLibraryHeader() => Parse(File.ReadAllText(Repository.HeaderPath), "LK_BINDGEN");
}

/// <summary>An object-like macro with an integer for its value.</summary>
internal sealed record CConstant(string Name, long Value);

internal sealed record CEnum(string Name, IReadOnlyList<CConstant> Enumerators);

/// <summary>A struct; one that is only declared, and passed by pointer, has no fields.</summary>
internal sealed record CStruct(string Name, IReadOnlyList<CVariable> Fields)
{
    public bool IsOpaque => Fields.Count == 0;
}

internal sealed record CFunction(string Name, CType Result, IReadOnlyList<CVariable> Parameters);

/// <summary>A field or a parameter.</summary>
internal sealed record CVariable(string Name, CType Type);

internal abstract record CType;

internal sealed record CNamedType(string Name) : CType;

internal sealed record CPointerType(CType Target, bool TargetIsConst) : CType;

internal sealed record CArrayType(CType Element, long Length) : CType;

internal sealed record CFunctionPointerType(CType Result, IReadOnlyList<CVariable> Parameters) : CType;
