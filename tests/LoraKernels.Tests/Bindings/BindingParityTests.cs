using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LoraKernels.Interop;
using NUnit.Framework;

namespace LoraKernels.Tests.Bindings;

[TestFixture]
internal sealed class BindingParityTests
{
    [Test]
    public void Bindings_declare_exactly_what_the_header_declares() =>
        Assert.That(Differences(CHeader.ReadLibraryHeader()), Is.Empty);

    [Test]
    public void Every_single_change_of_the_header_is_noticed()
    {
        CHeader header = CHeader.ReadLibraryHeader();
        List<(string What, CHeader Header)> mutations = [.. HeaderMutations.All(header)];
        int declarations = header.Constants.Count + header.Enums.Count + header.Structs.Count + header.Functions.Count;

        Assert.That(mutations, Has.Count.GreaterThan(3 * declarations));
        Assert.That(
            mutations.Where(mutation => Differences(mutation.Header).Count == 0).Select(mutation => mutation.What),
            Is.Empty);
    }

    [Test]
    public void Every_import_is_a_plain_C_call_of_its_own_name()
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (MethodInfo function in BindingsDescription.Functions())
            {
                DllImportAttribute? import = function.GetCustomAttribute<DllImportAttribute>();
                Assert.That(import?.Value, Is.EqualTo(NativeLibrarySearch.LibraryName), function.Name);
                Assert.That(import?.EntryPoint, Is.EqualTo(function.Name));
                Assert.That(import?.ExactSpelling, Is.True, function.Name);
                Assert.That(import?.CallingConvention, Is.EqualTo(CallingConvention.Cdecl), function.Name);
                Assert.That(import?.PreserveSig, Is.True, function.Name);
                Assert.That(import?.SetLastError, Is.False, function.Name);
            }
        }
    }

    [Test]
    public void Structs_are_laid_out_in_the_order_of_their_fields()
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (Type type in BindingsDescription.ValueTypes().Where(type => !type.IsEnum))
            {
                StructLayoutAttribute? layout = type.StructLayoutAttribute;
                Assert.That(layout?.Value, Is.EqualTo(LayoutKind.Sequential), type.Name);
                Assert.That(layout?.Pack, Is.EqualTo(0).Or.EqualTo(8), type.Name);
            }
        }
    }

    [Test]
    public void The_assembly_marshals_nothing_and_shows_only_its_exception()
    {
        Assembly interop = typeof(NativeMethods).Assembly;

        Assert.That(interop.IsDefined(typeof(DisableRuntimeMarshallingAttribute)), Is.True);
        Assert.That(interop.GetExportedTypes(), Is.EqualTo(new[] { typeof(NativeLibraryException) }));
    }

    private static List<string> Differences(CHeader header)
    {
        SortedDictionary<string, string> asked = HeaderDescription.Of(header);
        SortedDictionary<string, string> bound = BindingsDescription.OfInterop();
        return
        [
            .. asked.Where(line => !bound.ContainsKey(line.Key)).Select(line => $"not bound: {line.Value}"),
            .. bound.Where(line => !asked.ContainsKey(line.Key)).Select(line => $"not in the header: {line.Value}"),
            .. asked.Where(line => bound.TryGetValue(line.Key, out string? other) && other != line.Value)
                .Select(line => $"header: {line.Value}; bindings: {bound[line.Key]}"),
        ];
    }
}
