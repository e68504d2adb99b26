package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
)

// makePrivate makes a directory whose files only its owner, the system and
// administrators may read. On Windows that is said by an access control list, which
// the files inherit; the list of a directory that is there already stays.
func makePrivate(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	// Protected from what the parent grants: full access, for files and directories within too.
	const inherited = "(A;OICI;FA;;;"
	rights, err := windows.SecurityDescriptorFromString("D:P" + inherited + user.User.Sid.String() + ")" + inherited + "SY)" + inherited + "BA)")
	if err != nil {
		return err
	}
	list, _, err := rights.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
}

// replace writes a file in place of another, all or nothing. Windows does not replace
// a file while another process reads it, which takes moments.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func rename(from, to string) (err error) {
	const tries = 100
	for range tries {
		err = os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_SHARING_VIOLATION) && !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			return err
		}
		time.Sleep(lockRetry)
	}
	return err
}

// syncDir does nothing: Windows writes the names of files by itself.
func syncDir(string) error { return nil }
