using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using LoraKernels.Interop;
using NUnit.Framework;

namespace LoraKernels.Tests.Bindings;

[TestFixture]
internal sealed class NativeLibraryLoaderTests
{
    private static readonly string Rid = NativeLibrarySearch.RuntimeIdentifiers()[^1];

    private readonly string _folder = Directory.CreateTempSubdirectory("lorakernels-loader-").FullName;

    [OneTimeTearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Lists_every_path_and_the_fix_when_nothing_loads()
    {
        string first = NewFolder("first");
        string second = NewFolder("second");
        string broken = Beside(second);
        File.WriteAllText(broken, "no library");

        NativeLibraryException error = Fails(new NativeLibrarySearch(null, [first, second], "lorakernels-nowhere"));

        Assert.That(error.Attempts, Has.Count.GreaterThanOrEqualTo(5));
        Assert.That(error.Attempts[0], Is.EqualTo($"{InPackage(first)}: no such file"));
        Assert.That(error.Attempts[1], Is.EqualTo($"{Beside(first)}: no such file"));
        Assert.That(error.Attempts[2], Is.EqualTo($"{InPackage(second)}: no such file"));
        Assert.That(error.Attempts[3], Does.StartWith($"{broken}: "), "the loader's own words on a file that is there");
        Assert.That(error.Attempts.Skip(4), Has.All.Contains("lorakernels-nowhere"));
        Assert.That(error.Message, Does.Contain(NativeLibrarySearch.OverrideVariable).And.Contains(Rid));
        foreach (string attempt in error.Attempts)
            Assert.That(error.Message, Does.Contain(attempt));
    }

    [Test]
    public void Takes_the_package_folder_before_the_plain_one_and_the_first_folder_before_the_second()
    {
        string empty = NewFolder("empty");
        string first = NewFolder("ordered");
        string second = NewFolder("ordered-second");
        Build(InPackage(first), 1, marker: "in_package");
        Build(Beside(first), 1, marker: "beside");
        Build(Beside(second), 1, marker: "second");

        Assert.That(MarkerOf([empty, first, second]), Is.EqualTo("in_package"));
        File.Delete(InPackage(first));
        Assert.That(MarkerOf([empty, first, second]), Is.EqualTo("beside"));
        File.Delete(Beside(first));
        Assert.That(MarkerOf([empty, first, second]), Is.EqualTo("second"));
    }

    [Test]
    public void A_set_override_is_the_only_place_looked_at()
    {
        string folder = NewFolder("override");
        Build(Beside(folder), 1, marker: "folder");
        string chosen = Path.Combine(_folder, "chosen.so");
        Build(chosen, 1, marker: "chosen");
        string missing = Path.Combine(_folder, "missing.so");

        Assert.That(MarkerOf(new NativeLibrarySearch(chosen, [folder], null)), Is.EqualTo("chosen"));

        NativeLibraryException error = Fails(new NativeLibrarySearch(missing, [folder], null));
        Assert.That(error.Attempts.Single(), Is.EqualTo($"{missing}: no such file"));
        Assert.That(error.Message, Does.Contain(NativeLibrarySearch.OverrideVariable));

        NativeLibraryException relative = Fails(new NativeLibrarySearch("chosen.so", [folder], null));
        Assert.That(relative.Attempts.Single(), Is.EqualTo("chosen.so: not a full path"));
    }

    [Test]
    public void Refuses_a_library_of_another_version()
    {
        string folder = NewFolder("version");
        string library = Beside(folder);
        Build(library, 999, marker: "other");

        NativeLibraryException error = Fails(new NativeLibrarySearch(null, [folder], null));

        Assert.That(
            error.Attempts.Single(),
            Is.EqualTo($"{library}: its ABI version is 999, and these bindings need {NativeMethods.LK_ABI_VERSION}"));
    }

    [Test]
    public void Refuses_a_library_of_another_kind()
    {
        string library = Path.Combine(_folder, "stranger.so");
        CCompiler.Compile("int stranger(void); int stranger(void) { return 1; }", library, "-shared", "-fPIC");

        NativeLibraryException error = Fails(new NativeLibrarySearch(library, [], null));

        Assert.That(error.Attempts.Single(), Is.EqualTo($"{library}: it exports no lk_abi_version"));
    }

    [Test]
    public void Looks_beside_the_assembly_and_the_application_and_then_asks_the_runtime()
    {
        NativeLibrarySearch search = NativeLibrarySearch.FromEnvironment();

        Assert.That(search.Folders[0], Is.EqualTo(Path.GetDirectoryName(typeof(NativeMethods).Assembly.Location)));
        Assert.That(search.Folders[^1], Is.EqualTo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)));
        Assert.That(search.Folders, Is.Unique);
        Assert.That(search.Fallback, Is.EqualTo("lorakernels"));
    }

    // A second copy of the assembly binds its imports anew, as a process does that starts with the variable set.
    [Test]
    [NonParallelizable]
    public void An_import_looks_at_the_environment_throws_this_exception_and_recovers()
    {
        string missing = Path.Combine(_folder, "missing-at-start.so");
        string library = Path.Combine(_folder, "found-later.so");
        Build(library, 1, marker: "found");
        string? before = Environment.GetEnvironmentVariable(NativeLibrarySearch.OverrideVariable);
        var context = new AssemblyLoadContext("second copy of the bindings");
        MethodInfo import = context.LoadFromAssemblyPath(typeof(NativeMethods).Assembly.Location)
            .GetType(typeof(NativeMethods).FullName!, throwOnError: true)!
            .GetMethod(nameof(NativeMethods.lk_abi_version))!;
        try
        {
            Environment.SetEnvironmentVariable(NativeLibrarySearch.OverrideVariable, missing);
            TargetInvocationException? thrown =
                Assert.Throws<TargetInvocationException>(() => import.Invoke(null, null));
            Exception? error = thrown?.InnerException;
            Assert.That(error?.GetType().FullName, Is.EqualTo(typeof(NativeLibraryException).FullName));
            Assert.That(error?.Message, Does.Contain($"{missing}: no such file"));

            Environment.SetEnvironmentVariable(NativeLibrarySearch.OverrideVariable, library);
            Assert.That(import.Invoke(null, null), Is.EqualTo((uint)NativeMethods.LK_ABI_VERSION));
        }
        finally
        {
            Environment.SetEnvironmentVariable(NativeLibrarySearch.OverrideVariable, before);
        }
    }

    private static string InPackage(string folder) =>
        Path.Combine(folder, "runtimes", Rid, "native", NativeLibrarySearch.FileName);

    private static string Beside(string folder) => Path.Combine(folder, NativeLibrarySearch.FileName);

    private string NewFolder(string name)
    {
        string folder = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(InPackage(folder))!);
        return folder;
    }

    // A library with nothing but its version, and an export that tells it from the others.
    private static void Build(string path, int version, string marker)
    {
        CCompiler.Compile(
            $"unsigned lk_abi_version(void); unsigned lk_abi_version(void) {{ return {version}; }}\n" +
            $"int {marker}(void); int {marker}(void) {{ return 0; }}\n",
            path,
            "-shared",
            "-fPIC");
    }

    private static string MarkerOf(string[] folders) => MarkerOf(new NativeLibrarySearch(null, folders, null));

    private static string MarkerOf(NativeLibrarySearch search)
    {
        nint library = NativeLibraryLoader.Load(search);
        try
        {
            string[] markers = ["in_package", "beside", "second", "folder", "chosen"];
            return markers.Single(marker => NativeLibrary.TryGetExport(library, marker, out _));
        }
        finally
        {
            NativeLibrary.Free(library);
        }
    }

    private static NativeLibraryException Fails(NativeLibrarySearch search) =>
        Assert.Throws<NativeLibraryException>(() => NativeLibraryLoader.Load(search))!;
}
