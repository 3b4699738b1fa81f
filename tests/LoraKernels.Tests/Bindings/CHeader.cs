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

/// <summary>Anything that a header gives a name.</summary>
internal interface ICNamed
{
    string Name { get; }
}

/// <summary>An enumerator, or an object-like macro with an integer for its value.</summary>
internal sealed record CConstant(string Name, long Value) : ICNamed;

internal sealed record CEnum(string Name, IReadOnlyList<CConstant> Enumerators) : ICNamed;

/// <summary>A struct; one that is only declared, and passed by pointer, has no fields.</summary>
internal sealed record CStruct(string Name, IReadOnlyList<CVariable> Fields) : ICNamed
{
    public bool IsOpaque => Fields.Count == 0;
}

internal sealed record CFunction(string Name, CType Result, IReadOnlyList<CVariable> Parameters) : ICNamed;

/// <summary>A field or a parameter.</summary>
internal sealed record CVariable(string Name, CType Type) : ICNamed;

internal abstract record CType;

internal sealed record CNamedType(string Name) : CType;

internal sealed record CPointerType(CType Target, bool TargetIsConst) : CType;

internal sealed record CArrayType(CType Element, long Length) : CType;

internal sealed record CFunctionPointerType(CType Result, IReadOnlyList<CVariable> Parameters) : CType;
