using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using LoraKernels.Interop;
using NUnit.Framework;

namespace LoraKernels.Tests.Bindings;

[TestFixture]
internal sealed class NativeLayoutTests
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lorakernels-layout-").FullName;

    [OneTimeTearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Sizes_offsets_and_values_are_the_C_compilers()
    {
        string program = Compile("layout", CHeader.ReadLibraryHeader());
        Dictionary<string, long> measured = CCompiler.Run(program)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' '))
            .ToDictionary(parts => parts[0], parts => long.Parse(parts[1], CultureInfo.InvariantCulture));

        Assert.That(ManagedLayout(), Is.EquivalentTo(measured));
    }

    [Test]
    public void The_C_compiler_rejects_a_misread_header()
    {
        CHeader header = CHeader.ReadLibraryHeader();
        CHeader otherParameter = header with
        {
            Functions = [.. header.Functions.Select(function => function.Name == "lk_lora_apply"
                ? function with { Parameters = [.. function.Parameters.Skip(1)] }
                : function)],
        };
        CHeader otherField = header with
        {
            Structs = [.. header.Structs.Select(type => type.Name == "lk_bytes"
                ? type with { Fields = [new("data", new CPointerType(new CNamedType("void"), true)), type.Fields[1]] }
                : type)],
        };

        Assert.That(
            () => Compile("parameter", otherParameter),
            Throws.InvalidOperationException.With.Message.Contains("&lk_lora_apply"));
        Assert.That(
            () => Compile("field", otherField),
            Throws.InvalidOperationException.With.Message.Contains("&((lk_bytes*)0)->data"));
    }

    private string Compile(string name, CHeader header)
    {
        string program = Path.Combine(_folder, name);
        CCompiler.Compile(CProbe.Write(header), program, "-I" + Path.GetDirectoryName(Repository.HeaderPath));
        return program;
    }

    private static Dictionary<string, long> ManagedLayout()
    {
        var layout = new Dictionary<string, long>();
        foreach (FieldInfo constant in typeof(NativeMethods).GetFields())
            layout.Add(constant.Name, Constant(constant));

        foreach (Type type in BindingsDescription.ValueTypes())
        {
            BindingFlags kind = type.IsEnum ? BindingFlags.Static : BindingFlags.Instance;
            FieldInfo[] fields = type.GetFields(BindingFlags.Public | kind);
            if (fields.Length == 0)
                continue; // opaque: it has no size in C

            layout.Add(type.Name, SizeOf(type));
            foreach (FieldInfo field in fields)
                layout.Add($"{type.Name}.{field.Name}", type.IsEnum ? Constant(field) : OffsetOf(field));
        }

        return layout;
    }

    private static long Constant(FieldInfo field) =>
        Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture);

    private static long SizeOf(Type type) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    // The distance between a local's address and its field's: Marshal.OffsetOf would tell where the marshaller puts it.
    private static long OffsetOf(FieldInfo field)
    {
        var method = new DynamicMethod($"OffsetOf_{field.Name}", typeof(long), [], field.Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        LocalBuilder local = il.DeclareLocal(field.DeclaringType!);
        il.Emit(OpCodes.Ldloca, local);
        il.Emit(OpCodes.Ldflda, field);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Ldloca, local);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Sub);
        il.Emit(OpCodes.Conv_I8);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Func<long>>()();
    }
}
