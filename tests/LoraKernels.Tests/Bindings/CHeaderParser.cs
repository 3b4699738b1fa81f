using System.Globalization;

namespace LoraKernels.Tests.Bindings;

/// <summary>Parses the declarations of a dull C11 header. What it does not know is an error, never skipped.</summary>
internal sealed class CHeaderParser
{
    private static readonly string[] BuiltinTypes =
        ["void", "char", "int32_t", "uint32_t", "int64_t", "uint64_t", "float", "double"];

    // What may stand where a name is due, and would quietly become one.
    private static readonly string[] Keywords =
        ["const", "volatile", "restrict", "struct", "enum", "union", "unsigned", "signed", "short", "int", "long"];

    private readonly IReadOnlyList<CToken> _tokens;
    private readonly HashSet<string> _types = [.. BuiltinTypes];
    private readonly List<CEnum> _enums = [];
    private readonly List<CStruct> _structs = [];
    private readonly List<CFunction> _functions = [];
    private int _next;

    private CHeaderParser(IReadOnlyList<CToken> tokens) => _tokens = tokens;

    public static CHeader Parse(CPreprocessed source)
    {
        var parser = new CHeaderParser(source.Tokens);
        while (parser._next < parser._tokens.Count)
            parser.ReadDeclaration();
        return new CHeader(source.Constants, parser._enums, parser._structs, parser._functions);
    }

    private void ReadDeclaration()
    {
        if (!TryTake("typedef"))
            ReadFunction();
        else if (TryTake("enum"))
            ReadEnum();
        else if (TryTake("struct"))
            ReadStruct();
        else
            throw Error("'enum' or 'struct'");
    }

    private void ReadEnum()
    {
        string tag = TakeIdentifier();
        Take("{");
        List<CConstant> enumerators = [];
        do
        {
            if (Peek() == "}")
                break;
            string name = TakeIdentifier();
            Take("=");
            enumerators.Add(new CConstant(name, TakeInteger()));
        }
        while (TryTake(","));
        Take("}");
        TakeTypedefName(tag);
        _enums.Add(new CEnum(tag, enumerators));
    }

    private void ReadStruct()
    {
        string tag = TakeIdentifier();
        List<CVariable> fields = [];
        if (TryTake("{"))
        {
            do
            {
                fields.Add(ReadVariable());
                Take(";");
            }
            while (!TryTake("}"));
        }

        TakeTypedefName(tag);
        _structs.Add(new CStruct(tag, fields));
    }

    private void ReadFunction()
    {
        CType result = ReadType();
        string name = TakeIdentifier();
        _functions.Add(new CFunction(name, result, ReadParameters()));
        Take(";");
    }

    private List<CVariable> ReadParameters()
    {
        Take("(");
        if (Peek() == "void" && Peek(1) == ")")
        {
            Take("void");
            Take(")");
            return [];
        }

        List<CVariable> parameters = [];
        do
            parameters.Add(ReadVariable());
        while (TryTake(","));
        Take(")");
        return parameters;
    }

    private CVariable ReadVariable()
    {
        CType type = ReadType();
        if (TryTake("("))
        {
            Take("*");
            string pointer = TakeIdentifier();
            Take(")");
            return new CVariable(pointer, new CFunctionPointerType(type, ReadParameters()));
        }

        string name = TakeIdentifier();
        if (TryTake("["))
        {
            type = new CArrayType(type, TakeInteger());
            Take("]");
        }

        return new CVariable(name, type);
    }

    private CType ReadType()
    {
        bool isConst = TryTake("const");
        if (!_types.Contains(Peek()))
            throw Error("a type");

        CType type = new CNamedType(TakeIdentifier());
        while (TryTake("*"))
        {
            type = new CPointerType(type, isConst);
            isConst = false;
        }

        return isConst ? throw Error("'*' after a const type") : type;
    }

    private void TakeTypedefName(string tag)
    {
        Take(tag);
        Take(";");
        if (!_types.Add(tag))
            throw Error($"no second declaration of {tag}");
    }

    private string Peek(int ahead = 0) => _next + ahead < _tokens.Count ? _tokens[_next + ahead].Text : "the end";

    private bool TryTake(string text)
    {
        if (Peek() != text)
            return false;
        _next++;
        return true;
    }

    private void Take(string text)
    {
        if (!TryTake(text))
            throw Error($"'{text}'");
    }

    private string TakeIdentifier()
    {
        string name = Peek();
        if (_next == _tokens.Count || !(char.IsAsciiLetter(name[0]) || name[0] == '_') || Keywords.Contains(name))
            throw Error("a name");
        _next++;
        return name;
    }

    private long TakeInteger()
    {
        if (!long.TryParse(Peek(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
            throw Error("an integer");
        _next++;
        return value;
    }

    private FormatException Error(string expected) =>
        new($"Line {(_next < _tokens.Count ? _tokens[_next].Line : 0)}: expected {expected}, found '{Peek()}'.");
}
