using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using LoraKernels.Interop;

namespace LoraKernels.Tests.Bindings;

/// <summary>What the compiled bindings declare, in the words of <see cref="HeaderDescription"/>.</summary>
internal static class BindingsDescription
{
    private const BindingFlags Everything =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance
        | BindingFlags.DeclaredOnly;

    /// <returns>Declarations by their name.</returns>
    public static SortedDictionary<string, string> OfInterop()
    {
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (Type type in ValueTypes())
            lines.Add(type.Name, type.IsEnum ? Enum(type) : Struct(type));
        foreach (MemberInfo member in typeof(NativeMethods).GetMembers(Everything))
            lines.Add(member.Name, Member(member));
        return lines;
    }

    /// <summary>The enums and structs, which all stand for something in the header.</summary>
    public static IEnumerable<Type> ValueTypes() => typeof(NativeMethods).Assembly.GetTypes().Where(
        type => type.IsValueType && !type.IsNested && type.Namespace == typeof(NativeMethods).Namespace);

    /// <summary>The imports.</summary>
    public static IEnumerable<MethodInfo> Functions() => typeof(NativeMethods).GetMethods(Everything);

    private static string Enum(Type type)
    {
        IEnumerable<string> values = type.GetFields(BindingFlags.Public | BindingFlags.Static)
            .OrderBy(field => field.MetadataToken)
            .Select(field => $"{field.Name} = {Constant(field)}");
        return $"enum {type.Name} : {TypeName(type.GetEnumUnderlyingType())} {{ {string.Join(", ", values)} }}";
    }

    private static string Struct(Type type)
    {
        IEnumerable<string> members = type.GetMembers(Everything)
            .Where(member => member is not Type) // the buffers behind fixed fields
            .OrderBy(member => member.MetadataToken)
            .Select(member => member is FieldInfo { IsStatic: false } field ? Field(field) : $"{member};");
        return $"struct {type.Name} {{ {string.Join(" ", members)} }}";
    }

    private static string Field(FieldInfo field) => field.GetCustomAttribute<FixedBufferAttribute>() is { } buffer
        ? $"fixed {TypeName(buffer.ElementType)} {field.Name}[{buffer.Length}];"
        : $"{TypeName(field.GetModifiedFieldType())} {field.Name};";

    // Anything that is neither a constant nor an import is described as itself, which no header asks for.
    private static string Member(MemberInfo member) => member switch
    {
        FieldInfo { IsLiteral: true } field => $"const {TypeName(field.FieldType)} {field.Name} = {Constant(field)}",
        MethodInfo method when method.Attributes.HasFlag(MethodAttributes.PinvokeImpl) => Function(method),
        _ => $"{member.MemberType} {member}",
    };

    private static string Function(MethodInfo method)
    {
        IEnumerable<string> parameters =
            method.GetParameters().Select(parameter => $"{TypeName(parameter.ParameterType)} {parameter.Name}");
        return $"{TypeName(method.ReturnType)} {method.Name}({string.Join(", ", parameters)})";
    }

    private static string Constant(FieldInfo field) =>
        Convert.ToString(field.GetRawConstantValue(), CultureInfo.InvariantCulture)!;

    private static string TypeName(Type type)
    {
        if (type.IsPointer)
            return TypeName(type.GetElementType()!) + "*";
        if (type.IsFunctionPointer)
            return FunctionPointer(type);

        Type plain = type.UnderlyingSystemType;
        return plain == typeof(void) ? "void"
            : plain == typeof(byte) ? "byte"
            : plain == typeof(int) ? "int"
            : plain == typeof(uint) ? "uint"
            : plain == typeof(long) ? "long"
            : plain == typeof(ulong) ? "ulong"
            : plain == typeof(float) ? "float"
            : plain == typeof(double) ? "double"
            : plain.Namespace == typeof(NativeMethods).Namespace ? plain.Name
            : plain.ToString();
    }

    private static string FunctionPointer(Type type)
    {
        IEnumerable<string> conventions = type.GetFunctionPointerCallingConventions()
            .Select(convention => convention.Name.Replace("CallConv", "", StringComparison.Ordinal));
        IEnumerable<string> types = type.GetFunctionPointerParameterTypes()
            .Append(type.GetFunctionPointerReturnType())
            .Select(TypeName);
        return $"delegate* {(type.IsUnmanagedFunctionPointer ? "unmanaged" : "managed")}" +
            $"[{string.Join(", ", conventions)}]<{string.Join(", ", types)}>";
    }
}
